// Package tracing is OpenTelemetry: what becomes of a request, and of an action from its
// publisher until it can be searched. A nil *Tracer traces nothing and costs nothing, so
// that nobody asks whether there is one. It knows no action: only that messages have a
// header, and batches. Nothing of what is traced waits for whoever collects traces.
package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Header is that of W3C Trace Context, of HTTP requests and of messages.
const Header = "traceparent"

// stopWithin is how long the last spans may take on their way.
const stopWithin = 2 * time.Second

// Tracer makes spans; nil: it makes none.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdk.TracerProvider
}

// configured tells whether the environment names somebody who collects traces.
func configured() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Start returns a tracer as the standard environment says (OTEL_…), which only it does; nil
// where it names no endpoint. Spans wait in a queue that is bounded; what does not fit, or
// nobody takes, is dropped.
func Start(ctx context.Context, version string, log *slog.Logger) (*Tracer, error) {
	if !configured() {
		return nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, errors.New("traces: " + name + " is " + p + "; this program speaks http/protobuf only")
		}
	}
	otel.SetLogger(logr.Discard()) // it would write headers that it does not understand to stderr, and so credentials
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, errors.Join(errors.New("traces"), err)
	}
	otel.SetErrorHandler(&quiet{log: log})
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "actionlog"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		log.Warn("traces: a part of OTEL_RESOURCE_ATTRIBUTES is not understood", "error", err)
	}
	return with(sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))), nil
}

func with(p *sdk.TracerProvider) *Tracer { return &Tracer{p.Tracer("actionlog"), p} }

// Stop sends what waits, for a while.
func (t *Tracer) Stop(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // who collects is away: its errors were logged
}

// quietFor is for how long an error is not logged again.
const quietFor = time.Minute

// quiet logs that traces are not taken, once a minute.
type quiet struct {
	log  *slog.Logger
	last atomic.Int64
}

// Handle implements otel.ErrorHandler.
func (q *quiet) Handle(err error) {
	now := time.Now().UnixNano()
	if last := q.last.Load(); now-last > int64(quietFor) && q.last.CompareAndSwap(last, now) {
		q.log.Warn("traces are not taken; they are dropped, and nothing waits for them", "error", err)
	}
}

// FromEnvironment continues the trace of TRACEPARENT and TRACESTATE, as whoever started
// this process names it.
func FromEnvironment(ctx context.Context) context.Context {
	carrier := propagation.MapCarrier{Header: os.Getenv("TRACEPARENT"), "tracestate": os.Getenv("TRACESTATE")}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// Carried is what a message, or a request, of this context carries in Header; "": nothing.
func Carried(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return ""
	}
	const version = "00-"
	return version + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + sc.TraceFlags().String()
}

// parse reads what Carried wrote, or another program.
func parse(carried string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{Header: carried})
	return trace.SpanContextFromContext(ctx)
}

// nobody ends a span that is not there.
func nobody(error) {}

// Serve begins the span of a request; who answers calls what is returned with the route ("":
// none) and the status.
func (t *Tracer) Serve(ctx context.Context, header http.Header, method, id string) (context.Context, func(route string, status int)) {
	if t == nil {
		return ctx, func(string, int) {}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(header))
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("actionlog.request_id", id)))
	return ctx, func(route string, status int) {
		if route != "" {
			span.SetName(method + " " + route)
			span.SetAttributes(attribute.String("http.route", route))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Send begins the span of publishing some messages to a stream.
func (t *Tracer) Send(ctx context.Context, stream string, messages int) (context.Context, func(error)) {
	if t == nil {
		return ctx, nobody
	}
	ctx, span := t.tracer.Start(ctx, "send "+stream, trace.WithSpanKind(trace.SpanKindProducer), messaging(stream, "send", messages))
	return ctx, ending(span)
}

// Step begins a part of what the context is in.
func (t *Tracer) Step(ctx context.Context, name string) (context.Context, func(error)) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, nobody
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, ending(span)
}

// ending ends a span. An error is named by its kind only: its text may hold what a document
// says.
func ending(span trace.Span) func(error) {
	return func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// messaging are the attributes of OpenTelemetry's conventions for messaging.
func messaging(stream, operation string, messages int) trace.SpanStartEventOption {
	return trace.WithAttributes(attribute.String("messaging.system", "nats"), attribute.String("messaging.destination.name", stream),
		attribute.String("messaging.operation.name", operation), attribute.String("messaging.operation.type", operation), attribute.Int("messaging.batch.message_count", messages))
}
