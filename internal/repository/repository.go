// Package repository holds the checks of what lies at the root of the module
// and is no Go: docker-compose.yml, the Dockerfile, the workflow, .ci/run and
// the documents. It has nothing to import.
package repository
