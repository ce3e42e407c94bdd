package fetcher

import "time"

// SetNow gives the fetcher another clock.
func (f *Fetcher) SetNow(now func() time.Time) { f.now = now }

// SetLooks bounds the dead letters that a poll looks into.
func (f *Fetcher) SetLooks(letters int) { f.looks = letters }

// SetRoom bounds the bytes of rows that a poll keeps.
func (f *Fetcher) SetRoom(bytes int) { f.room = bytes }
