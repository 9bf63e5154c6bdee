// Package telemetry makes the logger of a program, and lists the keys under which facts stand in its lines.
//
// A line says what happened to one order or one partition; its message is a constant, and what varies stands in
// attributes. Addresses, names and payloads are never logged.
package telemetry

import (
	"io"
	"log/slog"
)

// Log are the settings of a program's log. A program with another default level sets kong's variable log_level.
type Log struct {
	Level  slog.Level `name:"log-level" env:"ORDERS_LOG_LEVEL" default:"${log_level=info}" help:"Lowest level to log: debug, info, warn or error."`
	Format string     `name:"log-format" env:"ORDERS_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of log lines: text or json."`
}

// Logger writes lines to w as the settings say.
func (l Log) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
