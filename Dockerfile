# The service in a container: one static binary, no shell, not root.
#
#   docker build -t actionlog --build-arg COMMIT=$(git rev-parse --short=12 HEAD) .
#   docker run -p 127.0.0.1:8080:8080 -v actionlog:/data actionlog

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The binary that make build makes anywhere else: docs/supply-chain.md.
ARG COMMIT=
RUN make build COMMIT="$COMMIT" && mkdir -p /out/data && mv bin/actionlog /out/actionlog

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
CMD ["serve", "--listen", "0.0.0.0:8080", "--nats-listen", "0.0.0.0:4222", "--allow-plain-http", "--allow-plain-nats"]
