# The service in a container: one static binary, no shell, not root.
#
#   docker build -t actionlog .
#   docker run -p 127.0.0.1:8080:8080 -v actionlog:/data actionlog

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/actionlog ./cmd/actionlog \
 && mkdir /out/data

# Has certificates and time zones, which filters need.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/actionlog /actionlog
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV ACTIONLOG_DATA=/data
VOLUME /data
EXPOSE 8080 4222
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/actionlog", "check", "--ready"]
ENTRYPOINT ["/actionlog"]
# Within a container loopback is reached by nobody else: publish the ports to
# the host's loopback, or put a proxy that speaks TLS in front.
CMD ["serve", "--listen", "0.0.0.0:8080", "--nats-listen", "0.0.0.0:4222", "--allow-plain-http"]
