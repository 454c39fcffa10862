// Package compose holds the checks of docker-compose.yml and the Dockerfile at
// the root of the module. Its tests read both as Compose and Docker would; it
// has nothing to import.
package compose
