# syntax=docker/dockerfile:1

# Both images can be replaced by a mirror's, or pinned by digest.
ARG GO_IMAGE=golang:1.26-alpine

FROM ${GO_IMAGE} AS build
WORKDIR /src
# Modules first: they change less often than the code, and stay cached.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/closesync ./cmd/closesync
# Go finds its time zones by itself only where the system has some.
RUN cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/zoneinfo.zip && mkdir -m 1777 /out/tmp && mkdir -m 0700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/zoneinfo.zip /usr/share/zoneinfo.zip
COPY --from=build /out/tmp /tmp
# A volume mounted here takes over the owner.
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/closesync /closesync
ENV ZONEINFO=/usr/share/zoneinfo.zip \
    CLOSESYNC_LISTEN=0.0.0.0:8080 \
    CLOSESYNC_LOG_FORMAT=json
# A number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 65532:65532
EXPOSE 8080
# The worker finishes the cycle at hand when asked to end.
STOPSIGNAL SIGTERM
# The image has no shell and no curl: the program asks its own /healthz.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/closesync", "healthcheck"]
ENTRYPOINT ["/closesync"]
CMD ["run"]
