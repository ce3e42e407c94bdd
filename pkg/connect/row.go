package connect

import (
	"encoding/json"
	"fmt"
	"time"
)

// Row is one row of a list: the bytes as Connect sent them, and what is needed
// to pass them on. One row that can't be read stops no other.
type Row struct {
	Raw       json.RawMessage
	ID        string
	Type      string
	Status    string
	AssetID   string // the tier configuration's id in a tier configuration request
	ProductID string
	Created   time.Time // zero where Connect gives none
	// Err says why the row is not usable: not an object, a field of a wrong kind,
	// or ErrIncomplete. The other fields then hold what could be read.
	Err error
}

// decodeRow reads only what a Row holds: a list has thousands of rows, and
// whoever handles one decodes the rest.
func decodeRow(raw json.RawMessage) Row {
	var r struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Status  string `json:"status"`
		Created Time   `json:"created"`
		Asset   struct {
			ID      string `json:"id"`
			Product Ref    `json:"product"`
		} `json:"asset"`
	}
	err := decodeTolerant(raw, &r)
	if err == nil {
		err = require(field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
			field{"asset.id", r.Asset.ID}, field{"asset.product.id", r.Asset.Product.ID})
	}
	return Row{
		Raw: raw, ID: r.ID, Type: r.Type, Status: r.Status, AssetID: r.Asset.ID,
		ProductID: r.Asset.Product.ID, Created: r.Created.Time, Err: rowError(r.ID, err),
	}
}

func decodeTierRow(raw json.RawMessage) Row {
	var r struct {
		ID            string `json:"id"`
		Type          string `json:"type"`
		Status        string `json:"status"`
		Created       Time   `json:"created"`
		Configuration struct {
			ID      string `json:"id"`
			Product Ref    `json:"product"`
		} `json:"configuration"`
		Events struct {
			Created Moment `json:"created"`
		} `json:"events"`
	}
	err := decodeTolerant(raw, &r)
	if err == nil {
		err = require(field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
			field{"configuration.id", r.Configuration.ID}, field{"configuration.product.id", r.Configuration.Product.ID})
	}
	if r.Created.IsZero() {
		r.Created = r.Events.Created.At
	}
	return Row{
		Raw: raw, ID: r.ID, Type: r.Type, Status: r.Status, AssetID: r.Configuration.ID,
		ProductID: r.Configuration.Product.ID, Created: r.Created.Time, Err: rowError(r.ID, err),
	}
}

func rowError(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("decode row %q: %w", id, err)
}
