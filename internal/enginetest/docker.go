package enginetest

import (
	"context"
	"fmt"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// startContainer starts a server in Docker; both results are nil where there is no
// Docker.
func startContainer(r Release) (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if !hasDocker(ctx) {
		return nil, nil
	}
	kind, version := r.split()
	image, environment := "opensearchproject/opensearch:"+version, map[string]string{"discovery.type": "single-node", "DISABLE_SECURITY_PLUGIN": "true",
		"DISABLE_INSTALL_DEMO_CONFIG": "true", "OPENSEARCH_JAVA_OPTS": "-Xms1g -Xmx1g"}
	if kind == "elasticsearch" {
		image, environment = "docker.elastic.co/elasticsearch/elasticsearch:"+version, map[string]string{"discovery.type": "single-node",
			"xpack.security.enabled": "false", "ES_JAVA_OPTS": "-Xms1g -Xmx1g"}
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{Started: true, ContainerRequest: testcontainers.ContainerRequest{
		Image: image, Env: environment, ExposedPorts: []string{"9200/tcp"},
		WaitingFor: wait.ForHTTP("/_cluster/health").WithPort("9200/tcp").WithStartupTimeout(3 * time.Minute),
	}})
	if err != nil {
		return nil, fmt.Errorf("%s in Docker: %w", r, err)
	}
	url, err := c.PortEndpoint(ctx, "9200/tcp", "http")
	if err != nil {
		_ = testcontainers.TerminateContainer(c)
		return nil, fmt.Errorf("%s in Docker: %w", r, err)
	}
	return &server{url: url, stop: func() { _ = testcontainers.TerminateContainer(c) }}, nil
}

func hasDocker(ctx context.Context) bool {
	defer func() { _ = recover() }() // the library panics where it finds no host
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return false
	}
	defer provider.Close()
	return provider.Health(ctx) == nil
}
