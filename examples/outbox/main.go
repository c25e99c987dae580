// Command outbox is an example: it relays the outbox of a service (schema.sql) to the action
// log. docs/publishing.md explains it. Here the database is a file of SQLite, so that it
// runs without any server; for PostgreSQL import its driver instead, and open that.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	_ "modernc.org/sqlite"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "outbox:", err)
		os.Exit(1)
	}
}

func run() error {
	file := flag.String("db", "service.sqlite", "the service's database")
	url := flag.String("url", "http://127.0.0.1:8080", "the action log")
	batch := flag.Int("batch", 500, "actions of a request")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	db, err := sql.Open("sqlite", "file:"+*file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
	if err != nil {
		return err
	}
	defer db.Close()
	r := &Relay{DB: db, URL: *url, Token: os.Getenv("ACTIONLOG_TOKEN"), Batch: *batch, Client: &http.Client{Timeout: time.Minute}, Log: slog.Default()}
	return r.Run(ctx)
}
