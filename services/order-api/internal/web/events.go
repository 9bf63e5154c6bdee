package web

import (
	"bytes"
	"fmt"
	"io"
)

// writeEvent writes a server-sent event. The head are its other lines, each with a line break.
func writeEvent(w io.Writer, head string, data []byte) error {
	_, err := fmt.Fprintf(w, "%sdata: %s\n\n", head, bytes.ReplaceAll(data, []byte("\n"), []byte("\ndata: ")))
	return err
}

// writeCells writes an event with elements of a page. The id is the position of which the client has seen all then.
func writeCells(w io.Writer, id int64, cells []byte) error {
	return writeEvent(w, fmt.Sprintf("id: %d\nevent: cells\n", id), cells)
}

// writeBeat writes an event that shows a client that the stream is alive.
func writeBeat(w io.Writer) error {
	_, err := io.WriteString(w, "event: beat\ndata:\n\n")
	return err
}
