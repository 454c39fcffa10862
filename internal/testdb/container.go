package testdb

import (
	"context"
	"fmt"
	"os"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// defaultImage is used unless CLOSESYNC_TEST_POSTGRES_IMAGE names another.
const defaultImage = "postgres:17-alpine"

// openContainer starts a container if there is a Docker that answers; a docker
// command on PATH says nothing about that.
func openContainer(ctx context.Context) (*server, error) {
	if err := dockerAnswers(ctx); err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	image := os.Getenv("CLOSESYNC_TEST_POSTGRES_IMAGE")
	if image == "" {
		image = defaultImage
	}
	container, err := postgres.Run(ctx, image,
		postgres.WithDatabase("postgres"), postgres.BasicWaitStrategies(),
		testcontainers.WithCmdArgs("-c", "fsync=off", "-c", "max_connections=200"))
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", image, err)
	}
	end := func() { _ = container.Terminate(context.Background()) }
	dsn, err := container.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		end()
		return nil, fmt.Errorf("container %s: %w", image, err)
	}
	return connect(ctx, dsn, func(db string) string { return withDatabase(dsn, db) }, end)
}

// dockerAnswers asks the provider for its health. The library panics on some
// machines without Docker.
func dockerAnswers(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	provider, err := testcontainers.ProviderDefault.GetProvider()
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close() }()
	return provider.Health(ctx)
}
