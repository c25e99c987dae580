package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"actionlog"
	"actionlog/internal/elastic"
	"actionlog/internal/sqlite"
)

// engineFlags say where the store is.
type engineFlags struct {
	Engine          []string `placeholder:"URL" help:"Use this Elasticsearch or OpenSearch instead of the store in the folder; several addresses of one cluster: repeat it, or commas."`
	EngineUser      string   `name:"engine-user" placeholder:"NAME" help:"User of --engine."`
	EnginePassword  string   `name:"engine-password" placeholder:"TEXT" help:"Password of --engine-user; better given by the environment."`
	EngineAPIKey    string   `name:"engine-api-key" placeholder:"KEY" help:"API key of --engine, instead of a user; better given by the environment."`
	EngineCA        string   `name:"engine-ca" placeholder:"FILE" help:"Certificate authorities (PEM) of --engine, instead of the system's."`
	EngineGzip      bool     `name:"engine-gzip" help:"Compress what is sent to --engine."`
	EnginePrefix    string   `name:"engine-prefix" placeholder:"TEXT" help:"What the names of all indices begin with."`
	EngineShards    int      `name:"engine-shards" placeholder:"N" default:"1" help:"Primary shards of each day's index."`
	EngineReplicas  int      `name:"engine-replicas" placeholder:"N" default:"-1" help:"Replicas of each shard; -1: one, where there is a second node."`
	EngineRouting   bool     `name:"engine-routing" help:"Keep each day's actions of an institution on one shard. Not to be changed while days are kept."`
	EngineRetention string   `name:"engine-retention" enum:"auto,ilm,ism,sweep" default:"auto" help:"What drops days that are past their time: ${enum}. auto: what the engine has."`
	DropUnproven    bool     `name:"drop-unproven" help:"Drop days that are past their time although no archive has proven that it holds them. Without it nothing is dropped."`
}

func (f *engineFlags) options() elastic.Options {
	retention := elastic.Retention(f.EngineRetention)
	if f.EngineRetention == "auto" {
		retention = elastic.RetentionAuto
	}
	return elastic.Options{Addresses: f.Engine, Username: f.EngineUser, Password: f.EnginePassword, APIKey: f.EngineAPIKey, CAFile: f.EngineCA,
		Gzip: f.EngineGzip, Prefix: f.EnginePrefix, Shards: f.EngineShards, Replicas: f.EngineReplicas, Routing: f.EngineRouting, Retention: retention}
}

// engine is a store as the service looks after it.
type engine interface {
	actionlog.Store
	Institutions(ctx context.Context) ([]actionlog.Institution, error)
	Held(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error)   // days before a day that have actions
	Listed(ctx context.Context, before actionlog.Day) ([]actionlog.Day, error) // and those that are empty
	Missing() []string                                                         // what cannot be answered from
	Bytes() int64
	Len() int // days
	Close() error
}

// openEngine opens the store; about says what it is.
func (r *running) openEngine(ctx context.Context) (store engine, about string, err error) {
	if len(r.cmd.Engine) > 0 {
		o := r.cmd.options()
		o.ReadOnly = r.cmd.Role == "search"
		e, err := r.openElastic(ctx, o)
		if err != nil {
			return nil, "", err
		}
		if o.ReadOnly {
			r.onStop(func(context.Context) error { return e.Close() })
			return e, e.Version() + "; this process only reads it", nil
		}
		store, about = e, e.Version()+"; days go by "+e.Retention()
	} else if store, err = sqlite.Open(ctx, filepath.Join(r.dir, "store"), sqlite.Options{Log: r.log}); err != nil {
		return nil, "", err
	} else {
		about = "SQLite; days go by sweep"
	}
	if !r.cmd.DropUnproven {
		about += ", none before an archive holds it"
	}
	r.onStop(func(context.Context) error { return store.Close() })
	return store, about, nil
}

// openElastic waits for an engine that does not answer yet.
func (r *running) openElastic(ctx context.Context, o elastic.Options) (*elastic.Store, error) {
	end := time.Now().Add(startPatience)
	for tries := 0; ; tries++ {
		e, err := elastic.Open(ctx, o, r.log)
		if !errors.Is(err, actionlog.ErrUnavailable) || time.Now().After(end) {
			return e, err
		}
		if tries%5 == 0 {
			r.log.Warn("the engine is not ready; it is asked again", "until", end.Format(time.TimeOnly), "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(2 * time.Second):
		}
	}
}

// workers is how many batches are written to a store at the same time: SQLite has one
// writer a day, an engine answers after a refresh.
func workers(store engine) int {
	if _, ok := store.(*elastic.Store); ok {
		return 8
	}
	return 1
}
