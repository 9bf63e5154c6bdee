// Package telemetry creates the logger of a program and defines the keys of its attributes.
//
// The message of a log line is a constant; what varies is in attributes. Personal data (names,
// addresses, mail addresses) and payloads are never logged.
package telemetry

import (
	"io"
	"log/slog"
)

// Log are the settings of the logger. A program can set another default level with the kong
// variable log_level.
type Log struct {
	Level  slog.Level `name:"log-level" env:"ORDERS_LOG_LEVEL" default:"${log_level=info}" help:"Lowest level to log: debug, info, warn or error."`
	Format string     `name:"log-format" env:"ORDERS_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of log lines: text or json."`
}

// Logger returns a logger that writes to w. Lines within a span have its trace_id and span_id.
func (l Log) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(spans{slog.NewJSONHandler(w, options)})
	}
	return slog.New(spans{slog.NewTextHandler(w, options)})
}
