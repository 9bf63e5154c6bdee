package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DeadLetter is a record that failed: in the dead-letter topic of the application, or in a foreign
// one.
type DeadLetter struct {
	ID          string       `json:"id"`
	State       string       `json:"state"`           // open, lost, parked, replayed, closed, discarded, sent
	Topic       string       `json:"topic,omitempty"` // that has the dead letter
	Partition   int32        `json:"partition"`       // of the dead letter in its topic
	Offset      int64        `json:"offset"`          // of the dead letter in that partition
	Order       string       `json:"order,omitempty"` // its ID; empty if the failed record is no order
	Cause       string       `json:"cause,omitempty"` // ID of its group
	Step        string       `json:"step,omitempty"`  // that failed
	Class       string       `json:"class,omitempty"`
	Reason      string       `json:"reason"`
	Message     string       `json:"message"`
	Attempts    int          `json:"attempts"`
	FirstFailed time.Time    `json:"first_failed"`
	LastFailed  time.Time    `json:"last_failed"`
	Worker      string       `json:"worker"`
	Replays     int          `json:"replays"`            // number of replays so far
	Edits       int          `json:"edits,omitempty"`    // number of edits, which is the newest version
	Notes       int          `json:"notes,omitempty"`    // number of notes
	TraceID     string       `json:"trace_id,omitempty"` // W3C
	Job         string       `json:"job,omitempty"`      // the newest replay job that has sent it
	Discarded   *Discarded   `json:"discarded,omitempty"`
	Foreign     *Foreign     `json:"foreign,omitempty"`
	Record      *Record      `json:"record,omitempty"`      // only from Client.DeadLetter and exports; nil if it was deleted
	History     *History     `json:"history,omitempty"`     // only from Client.DeadLetter
	Edit        *Editable    `json:"edit,omitempty"`        // only from Client.DeadLetter; nil if it cannot be edited
	NextReplay  *NextReplay  `json:"next_replay,omitempty"` // only from Client.DeadLetter; nil if it cannot be replayed
	Decisions   []ImportLine `json:"decisions,omitempty"`   // only in exports
}

// Discarded says who discarded a dead letter, and why.
type Discarded struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"` // such as "operator:ann"
	Reason string    `json:"reason"`
}

// Foreign has the additional fields of a dead letter that another application wrote. What its
// headers do not say is zero.
type Foreign struct {
	Dialect         string    `json:"dialect"` // which program wrote it
	SourceTopic     string    `json:"source_topic,omitempty"`
	SourcePartition *int32    `json:"source_partition,omitempty"`
	SourceOffset    *int64    `json:"source_offset,omitempty"`
	ConsumerGroup   string    `json:"consumer_group,omitempty"`
	ReplayTo        string    `json:"replay_to,omitempty"`    // topic that a replay sends it to, or empty: it must be named
	ReplayToBy      string    `json:"replay_to_by,omitempty"` // "header" or "flag": what names that topic
	ExpiresAt       time.Time `json:"expires_at,omitzero"`    // when the retention of its topic deletes it
}

// Record is the record that failed. Key and Value are text, or base64 if one of them is not UTF-8.
type Record struct {
	Key      string   `json:"key"`
	Value    string   `json:"value"`
	Encoding string   `json:"encoding"` // "utf-8" or "base64"
	Headers  []Header `json:"headers,omitempty"`
}

// Header is a header of a record.
type Header struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Encoding string `json:"encoding"` // of Value: "utf-8" or "base64"
}

// History is what happened to a dead letter, oldest first.
type History struct {
	Failures []Failure `json:"failures"`
	Replays  []Replay  `json:"replays"`
	Edits    []Edit    `json:"edits"`
	Notes    []Note    `json:"notes"`
}

// Failure is the first failure of a dead letter, or that of a replay.
type Failure struct {
	Replay  int       `json:"replay"` // 0: before any replay
	At      time.Time `json:"at"`
	Step    string    `json:"step,omitempty"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Version int       `json:"version,omitempty"` // that failed; 0 is the original
}

// Replay is one replay of a dead letter.
type Replay struct {
	Replay  int       `json:"replay"`
	At      time.Time `json:"at,omitzero"`       // of the result
	Job     string    `json:"job,omitempty"`     // or empty: it was replayed alone
	Version int       `json:"version,omitempty"` // that was replayed; 0 is the original
	Result  string    `json:"result"`            // in-progress, confirmed, failed-again, already-done, cancelled, conflict, sent
}

// Edit is one edit of a dead letter.
type Edit struct {
	Version int           `json:"version"`
	At      time.Time     `json:"at"`
	By      string        `json:"by"`
	Reason  string        `json:"reason"`
	Changes []ValueChange `json:"changes"`
}

// ValueChange is a difference between two versions. Before is nil if it was added, After if it was
// removed; the JSON null is not nil.
type ValueChange struct {
	Pointer string          `json:"pointer"` // JSON pointer
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
}

// Note is a note on a dead letter or a cause.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}

// Editable is what can be edited of a dead letter. Value is the JSON of a NewOrder; of a foreign dead
// letter a JSON string with the value of its record in Encoding.
type Editable struct {
	Version  int             `json:"version"` // the newest one; 0 is the original
	Value    json.RawMessage `json:"value"`
	Encoding string          `json:"encoding,omitempty"`
	Locked   []string        `json:"locked"` // JSON pointers of what cannot be changed
}

// NextReplay is what the next replay of a dead letter does.
type NextReplay struct {
	Step      string   `json:"step,omitempty"`
	Mail      string   `json:"mail"` // certain, possible, none
	Documents []string `json:"documents"`
}

// NewEdit is an edit to store: the whole new value, made from an Editable.
type NewEdit struct {
	Version  int             `json:"version"` // Editable.Version
	Value    json.RawMessage `json:"value"`
	Encoding string          `json:"encoding,omitempty"`
	Reason   string          `json:"reason,omitempty"`
}

// EditResult is a stored or previewed edit.
type EditResult struct {
	Version int           `json:"version"`
	Changes []ValueChange `json:"changes"`
}

// DeadLetterFilter selects dead letters. Zero values select all.
type DeadLetterFilter struct {
	States []string  `json:"states,omitempty"`
	Step   string    `json:"step,omitempty"`
	Class  string    `json:"class,omitempty"`
	Reason string    `json:"reason,omitempty"` // why the step failed
	Cause  string    `json:"cause,omitempty"`  // ID of a group
	Topic  string    `json:"topic,omitempty"`  // dead-letter topic
	Words  string    `json:"q,omitempty"`      // beginnings of words
	From   time.Time `json:"from,omitzero"`    // of the last failure
	To     time.Time `json:"to,omitzero"`
}

// DeadLetterQuery selects a page of dead letters.
type DeadLetterQuery struct {
	DeadLetterFilter
	Limit  int
	Cursor string
}

// Selection selects dead letters to replay or to fix. Exactly one field is set. A filter without
// States selects what can be replayed.
type Selection struct {
	IDs    []string          `json:"ids,omitempty"`
	Filter *DeadLetterFilter `json:"filter,omitempty"`
	All    bool              `json:"all,omitempty"`
}

// Fix is a JSON Patch (RFC 6902) on many dead letters.
type Fix struct {
	Selection Selection       `json:"selection"`
	Patch     json.RawMessage `json:"patch"`
	Override  bool            `json:"override,omitempty"` // also select parked ones
}

// FixPreview is what a Fix would do. The counts of results add up to Total.
type FixPreview struct {
	Total       int         `json:"total"`
	Changed     int         `json:"changed"`
	Unchanged   int         `json:"unchanged"`
	NotMatched  int         `json:"not_matched"` // a test operation does not hold
	Invalid     int         `json:"invalid"`
	Locked      int         `json:"locked"`
	NotEditable int         `json:"not_editable"`
	DeadLetters []FixResult `json:"dead_letters"` // a page
	Next        string      `json:"next,omitempty"`
}

// FixResult is what a Fix would do to one dead letter.
type FixResult struct {
	ID      string        `json:"id"`
	Result  string        `json:"result"` // changed, unchanged, not-matched, invalid, locked, not-editable
	Changes []ValueChange `json:"changes,omitempty"`
	Errors  []FieldError  `json:"errors,omitempty"`
}

// Group is a cause of dead letters, and the number of those that were selected.
type Group struct {
	ID                string      `json:"id"`
	Topic             string      `json:"topic"` // dead-letter topic
	Step              string      `json:"step,omitempty"`
	Reason            string      `json:"reason"`
	Class             string      `json:"class,omitempty"`
	Message           string      `json:"message"` // normalised
	Total             int         `json:"total"`
	Counts            GroupCounts `json:"counts"`
	FirstFailed       time.Time   `json:"first_failed"`
	LastFailed        time.Time   `json:"last_failed"`
	Hours             [24]int     `json:"hours"` // last failures in each hour
	HoursFrom         time.Time   `json:"hours_from"`
	Replayed          int         `json:"replayed"` // at least once
	ReplayedConfirmed int         `json:"replayed_confirmed"`
	Notes             []Note      `json:"notes"`              // newest first
	Assigned          *Assigned   `json:"assigned,omitempty"` // nil: no one looks into it
}

// GroupDetails is a cause with what only its own page shows.
type GroupDetails struct {
	Group
	Common []Common `json:"common"`        // at most 3, the largest difference first
	Job    string   `json:"job,omitempty"` // ID of the unfinished replay job of the cause
}

// Common is a value that more orders of a cause have than confirmed orders of the same days. Shares are
// from 0 to 1.
type Common struct {
	Field     string  `json:"field"` // "mail domain", "country", "service", "lines" or "SKU"
	Value     string  `json:"value"`
	Share     float64 `json:"share"`
	Confirmed float64 `json:"confirmed"`
}

// Assigned says who looks into a cause.
type Assigned struct {
	To string    `json:"to"`
	At time.Time `json:"at"`
	By string    `json:"by"` // who assigned it, such as "operator:ann"
}

// GroupCounts are the numbers of dead letters in each state.
type GroupCounts struct {
	Open      int `json:"open"`
	Lost      int `json:"lost"`
	Parked    int `json:"parked"`
	Replayed  int `json:"replayed"`
	Closed    int `json:"closed"`
	Discarded int `json:"discarded"`
	Sent      int `json:"sent"`
}

// ImportLine is a decision about a dead letter, as exports have it and Client.Import reads it.
type ImportLine struct {
	ID       string          `json:"id,omitempty"`
	Decision string          `json:"decision"`         // discard, restore, note, edit
	Reason   string          `json:"reason,omitempty"` // of all but a note
	Text     string          `json:"text,omitempty"`   // of a note
	Value    json.RawMessage `json:"value,omitempty"`  // of an edit
	Encoding string          `json:"encoding,omitempty"`
	Version  *int            `json:"version,omitempty"` // that was edited; nil is the newest
	At       time.Time       `json:"at,omitzero"`       // ignored by the import, like By
	By       string          `json:"by,omitempty"`
}

// ImportResult is the result of one imported decision.
type ImportResult struct {
	Line     int      `json:"line"` // of the request, from 1
	ID       string   `json:"id,omitempty"`
	Decision string   `json:"decision,omitempty"`
	Result   string   `json:"result"` // done, unchanged, refused
	Problem  *Problem `json:"problem,omitempty"`
}

// DeadLetters returns a page of dead letters, the latest failure first, and the cursor of the next
// page or "".
func (c *Client) DeadLetters(ctx context.Context, q DeadLetterQuery) ([]DeadLetter, string, error) {
	var page struct {
		DeadLetters []DeadLetter `json:"dead_letters"`
		Next        string
	}
	err := c.get(ctx, "/v1/dead-letters"+q.query("limit", number(q.Limit), "cursor", q.Cursor), &page)
	return page.DeadLetters, page.Next, err
}

// query encodes a filter and further parameters as a query string.
func (f DeadLetterFilter) query(more ...string) string {
	return query(append(more, "state", strings.Join(f.States, ","), "step", f.Step, "class", f.Class, "reason", f.Reason,
		"cause", f.Cause, "topic", f.Topic, "q", f.Words, "from", moment(f.From), "to", moment(f.To))...)
}

// Groups returns the causes of the selected dead letters, the largest first, and how many there
// are. A limit of 0 is the default of the API.
func (c *Client) Groups(ctx context.Context, f DeadLetterFilter, limit int) ([]Group, int, error) {
	var page struct {
		Groups []Group
		Total  int
	}
	err := c.get(ctx, "/v1/dead-letters/groups"+f.query("limit", number(limit)), &page)
	return page.Groups, page.Total, err
}

// DeadLetter returns a dead letter with the record that failed and its history.
func (c *Client) DeadLetter(ctx context.Context, id string) (DeadLetter, error) {
	var l DeadLetter
	return l, c.get(ctx, deadLetter(id, ""), &l)
}

func deadLetter(id, act string) string { return "/v1/dead-letters/" + url.PathEscape(id) + act }

// Replay requests a replay of a dead letter that is not parked, and returns the number of the
// replay. The reason is for the audit trail, or empty.
func (c *Client) Replay(ctx context.Context, id, reason string) (int, error) {
	var requested struct{ Replay int }
	err := c.act(ctx, deadLetter(id, "/replay"), reason, &requested)
	return requested.Replay, err
}

// ReplayParked is Replay for a dead letter that may be parked.
func (c *Client) ReplayParked(ctx context.Context, id, reason string) (int, error) {
	var requested struct{ Replay int }
	err := c.post(ctx, deadLetter(id, "/replay"), struct {
		Reason   string `json:"reason,omitempty"`
		Override bool   `json:"override"`
	}{reason, true}, &requested)
	return requested.Replay, err
}

// Edit stores a new version of the order of a dead letter. If another version was stored since
// NewEdit.Version, it returns a *Problem of type /problems/edit-conflict.
func (c *Client) Edit(ctx context.Context, id string, e NewEdit) (EditResult, error) {
	var r EditResult
	return r, c.post(ctx, deadLetter(id, "/edit"), e, &r)
}

// PreviewEdit is Edit without storing anything.
func (c *Client) PreviewEdit(ctx context.Context, id string, e NewEdit) (EditResult, error) {
	var r EditResult
	return r, c.post(ctx, deadLetter(id, "/edit?preview=true"), e, &r)
}

// Discard marks a dead letter as discarded. The reason must not be empty.
func (c *Client) Discard(ctx context.Context, id, reason string) (DeadLetter, error) {
	var l DeadLetter
	return l, c.act(ctx, deadLetter(id, "/discard"), reason, &l)
}

// Restore makes a discarded dead letter open again. The reason may be empty.
func (c *Client) Restore(ctx context.Context, id, reason string) (DeadLetter, error) {
	var l DeadLetter
	return l, c.act(ctx, deadLetter(id, "/restore"), reason, &l)
}

// Note writes a note on a dead letter.
func (c *Client) Note(ctx context.Context, id, text string) (Note, error) {
	var n Note
	return n, c.post(ctx, deadLetter(id, "/notes"), map[string]string{"text": text}, &n)
}

// NoteGroup writes a note on a cause.
func (c *Client) NoteGroup(ctx context.Context, group, text string) (Note, error) {
	var n Note
	return n, c.post(ctx, "/v1/dead-letters/groups/"+url.PathEscape(group)+"/notes", map[string]string{"text": text}, &n)
}

// Group returns one cause, with what its orders have in common.
func (c *Client) Group(ctx context.Context, id string) (GroupDetails, error) {
	var g GroupDetails
	return g, c.get(ctx, "/v1/dead-letters/groups/"+url.PathEscape(id), &g)
}

// Assign notes who looks into a cause; an empty name is the one who asks.
func (c *Client) Assign(ctx context.Context, cause, to string) (*Assigned, error) {
	body := map[string]string{}
	if to != "" {
		body["to"] = to
	}
	return c.assign(ctx, cause, body)
}

// Release notes that no one looks into a cause.
func (c *Client) Release(ctx context.Context, cause string) error {
	_, err := c.assign(ctx, cause, map[string]bool{"release": true})
	return err
}

func (c *Client) assign(ctx context.Context, cause string, body any) (*Assigned, error) {
	var answer struct{ Assigned *Assigned }
	err := c.post(ctx, "/v1/dead-letters/groups/"+url.PathEscape(cause)+"/assign", body, &answer)
	return answer.Assigned, err
}

// PreviewFix returns what a Fix would do, with the page of its results at a cursor, or the first
// page. It changes nothing.
func (c *Client) PreviewFix(ctx context.Context, f Fix, cursor string) (FixPreview, error) {
	var p FixPreview
	return p, c.post(ctx, "/v1/dead-letters/fix"+query("cursor", cursor), f, &p)
}

// Export returns the selected dead letters in a format, "ndjson" or "csv", as a stream. The caller
// closes it. Reading a stream that was cut off ends with an error other than io.EOF.
func (c *Client) Export(ctx context.Context, f DeadLetterFilter, format string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, "/v1/dead-letters/export"+f.query("format", format), nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Import sends decisions, one a line in NDJSON, and yields a result for each. It ends after it has
// yielded an error. Repeating an import is safe.
func (c *Client) Import(ctx context.Context, decisions io.Reader) iter.Seq2[ImportResult, error] {
	const path = "/v1/dead-letters/import"
	return func(yield func(ImportResult, error) bool) {
		resp, err := c.stream(ctx, http.MethodPost, path, http.Header{"Content-Type": {"application/x-ndjson"}}, decisions)
		if err != nil {
			yield(ImportResult{}, err)
			return
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			var r ImportResult
			err := json.Unmarshal(lines.Bytes(), &r)
			if err != nil {
				err = fmt.Errorf("reading the response to POST %s: %w", path, err)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := reading(http.MethodPost, path, lines.Err()); err != nil {
			yield(ImportResult{}, err)
		}
	}
}
