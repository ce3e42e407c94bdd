package connect

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/fastjson"
)

// Row is one row of a list: the bytes as Connect sent them, and what is needed
// to pass them on. One row that can't be read stops no other.
type Row struct {
	Raw       json.RawMessage // a part of its page: whoever keeps it for long clones it
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

// readRow is what a list is read for: a list has thousands of rows, and whoever
// handles one decodes the rest.
type readRow interface {
	row(raw json.RawMessage, err error) Row
}

type requestRow struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Created Time   `json:"created"`
	Asset   struct {
		ID      string `json:"id"`
		Product Ref    `json:"product"`
	} `json:"asset"`
}

func (r requestRow) row(raw json.RawMessage, err error) Row {
	if err == nil {
		err = require(field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
			field{"asset.id", r.Asset.ID}, field{"asset.product.id", r.Asset.Product.ID})
	}
	return Row{
		Raw: raw, ID: r.ID, Type: r.Type, Status: r.Status, AssetID: r.Asset.ID,
		ProductID: r.Asset.Product.ID, Created: r.Created.Time, Err: rowError(r.ID, err),
	}
}

type tierRow struct {
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

func (r tierRow) row(raw json.RawMessage, err error) Row {
	if err == nil {
		err = require(field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
			field{"configuration.id", r.Configuration.ID}, field{"configuration.product.id", r.Configuration.Product.ID})
	}
	created := r.Created
	if created.IsZero() {
		created = r.Events.Created.At
	}
	return Row{
		Raw: raw, ID: r.ID, Type: r.Type, Status: r.Status, AssetID: r.Configuration.ID,
		ProductID: r.Configuration.Product.ID, Created: created.Time, Err: rowError(r.ID, err),
	}
}

// decodeRows takes a page apart and reads its rows, in one go where all of them
// are of the form that Connect sends today. It fails on what is no list.
func decodeRows[T readRow](page []byte) ([]Row, error) {
	if all, ok := fastjson.Elements[T](page); ok {
		rows := make([]Row, len(all))
		for i, e := range all {
			rows[i] = e.Value.row(e.Raw, nil)
		}
		return rows, nil
	}
	rows, err := splitRows(page)
	for i := range rows {
		rows[i] = decodeRow[T](rows[i].Raw)
	}
	return rows, err
}

func decodeRow[T readRow](raw json.RawMessage) Row {
	var value T
	err := decodeTolerant(raw, &value)
	return value.row(raw, err)
}

// splitRows takes a page apart and reads nothing of its rows.
func splitRows(page []byte) ([]Row, error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(page, &raws); err != nil {
		return nil, err
	}
	rows := make([]Row, len(raws))
	for i, raw := range raws {
		rows[i].Raw = raw
	}
	return rows, nil
}

func rowError(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("decode row %q: %w", id, err)
}
