package app

import "github.com/headrace/headrace/pkg/stream"

// Tended has an App look after the streams at another pace.
func Tended(how stream.Tending) Option { return func(a *App) { a.tending = how } }
