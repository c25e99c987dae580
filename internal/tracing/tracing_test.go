package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	kept    = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	dropped = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// recorded is a tracer whose spans can be looked at.
func recorded(t *testing.T) (*Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	p := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return with(p), spans
}

// TestOff: without a collector nothing is made, nothing allocated, and the trace of who
// started a program goes on all the same.
func TestOff(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	tracer, err := Start(t.Context(), "v", slog.New(slog.DiscardHandler))
	if tracer != nil || err != nil {
		t.Fatal(tracer, err)
	}
	ctx, request := t.Context(), httptest.NewRequest(http.MethodGet, "/", nil)
	at := time.Now()
	carried := func(int) (string, time.Time) { return kept, at }
	allocated := testing.AllocsPerRun(1000, func() {
		inner, end := tracer.Serve(ctx, request.Header, request.Method, "id")
		inner, sent := tracer.Send(inner, "S", 3)
		inner, step := tracer.Step(inner, "x")
		inner, batch := tracer.Begin(inner, "S", "index", 3, carried)
		batch.Done(kept)
		batch.End("searchable", nil)
		if Carried(inner) != "" {
			t.Error("a trace was made")
		}
		step(nil)
		sent(nil)
		end("/", 200)
	})
	if allocated > 0 {
		t.Errorf("nothing is traced, and %v allocations are made", allocated)
	}
	tracer.Stop(ctx)
	t.Setenv("TRACEPARENT", kept)
	if got := Carried(FromEnvironment(ctx)); got != kept {
		t.Errorf("TRACEPARENT goes on as %q", got)
	}
	t.Setenv("TRACEPARENT", "nonsense")
	if got := Carried(FromEnvironment(ctx)); got != "" {
		t.Errorf("nonsense goes on as %q", got)
	}
}

// TestCredentialsAreNotPrinted: what stands in the environment and is not understood.
func TestCredentialsAreNotPrinted(t *testing.T) {
	if os.Getenv("OTEL_EXPORTER_OTLP_HEADERS") != "" { // the process below
		tracer, err := Start(t.Context(), "v", slog.New(slog.DiscardHandler))
		if tracer == nil || err != nil {
			t.Fatal(tracer, err)
		}
		tracer.Stop(t.Context())
		return
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestCredentialsAreNotPrinted$", "-test.v")
	c.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS=Authorization: Bearer s3cr3t")
	said, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "--- PASS") || strings.Contains(string(said), "s3cr3t") {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestConfigured: only the standard environment turns it on.
func TestConfigured(t *testing.T) {
	for _, c := range []struct {
		env map[string]string
		on  bool
		err bool
	}{
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, true},
		{map[string]string{"OTEL_SERVICE_NAME": "x"}, false, false},
	} {
		t.Run("", func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			tracer, err := Start(t.Context(), "v", slog.New(slog.DiscardHandler))
			if (tracer != nil) != c.on || (err != nil) != c.err {
				t.Errorf("%v: %v %v", c.env, tracer, err)
			}
			tracer.Stop(t.Context())
		})
	}
}

// spansOf are the spans that ended, by name.
func spansOf(r *tracetest.SpanRecorder) map[string]sdk.ReadOnlySpan {
	all := map[string]sdk.ReadOnlySpan{}
	for _, s := range r.Ended() {
		all[s.Name()] = s
	}
	return all
}

// TestOneTrace: a request, what it sends, the batch and what it reached are one trace.
func TestOneTrace(t *testing.T) {
	tracer, recorder := recorded(t)
	request := httptest.NewRequest(http.MethodPost, "/", nil)
	request.Header.Set(Header, kept)
	ctx, end := tracer.Serve(t.Context(), request.Header, request.Method, "id")
	ctx, sent := tracer.Send(ctx, "S", 2)
	message := Carried(ctx)
	_, acknowledged := tracer.Step(ctx, "acknowledge S")
	acknowledged(nil)
	sent(errors.New("person@example.org"))
	end("/v1/x", 503)
	received := time.Now().Add(-time.Second)
	inner, batch := tracer.Begin(t.Context(), "S", "index", 3, func(i int) (string, time.Time) {
		return []string{message, "", message}[i], received.Add(time.Duration(i))
	})
	_, wrote := tracer.Step(inner, "write")
	wrote(nil)
	batch.Done(message)
	batch.Done("")
	batch.End("searchable", nil)
	all := spansOf(recorder)
	parent := map[string]string{"POST /v1/x": "", "send S": "POST /v1/x", "acknowledge S": "send S", "index S": "send S", "write": "index S", "searchable": "send S"}
	for name, above := range parent {
		s := all[name]
		if s == nil {
			t.Fatalf("there is no span %s: %v", name, all)
		}
		if s.SpanContext().TraceID().String() != kept[3:35] {
			t.Errorf("%s is of another trace", name)
		}
		if above != "" && s.Parent().SpanID() != all[above].SpanContext().SpanID() {
			t.Errorf("%s is not below %s", name, above)
		}
		for _, e := range s.Events() {
			t.Errorf("%s has the event %v: an error's text may hold what a document says", name, e)
		}
		if text := s.Status().Description; text != "" {
			t.Errorf("%s says %q", name, text)
		}
	}
	if s := all["searchable"]; !s.StartTime().Equal(received) || len(s.Links()) != 1 || s.Links()[0].SpanContext.SpanID() != all["index S"].SpanContext().SpanID() {
		t.Errorf("searchable: from %v, links %v", s.StartTime(), s.Links())
	}
	if len(all) != len(parent) {
		t.Errorf("%d spans", len(all))
	}
}

// TestSeveralSenders: a batch of several traces is none of them, and linked to each; who is
// not sampled is not.
func TestSeveralSenders(t *testing.T) {
	tracer, recorder := recorded(t)
	const other = "00-aaaa651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	messages := []string{kept, dropped, other, kept, "nonsense"}
	_, batch := tracer.Begin(t.Context(), "S", "index", len(messages), func(i int) (string, time.Time) { return messages[i], time.Now() })
	for _, m := range messages {
		batch.Done(m)
	}
	batch.End("searchable", errors.New("x"))
	s := spansOf(recorder)["index S"]
	if s == nil || s.Parent().IsValid() || len(s.Links()) != 2 || len(recorder.Ended()) != 3 {
		t.Errorf("%v", recorder.Ended())
	}
	if ctx, batch := tracer.Begin(t.Context(), "S", "index", 1, func(int) (string, time.Time) { return dropped, time.Now() }); batch != nil || trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("a batch that nobody wants to know of is traced")
	}
}
