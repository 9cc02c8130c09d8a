# syntax=docker/dockerfile:1
# The bridge alone, on a small system. `docker build -t gitter-matrix-bridge .`

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# The dependencies first, with nothing of our own: this layer holds until Cargo.toml or Cargo.lock changes.
COPY .cargo/config.toml .cargo/config.toml
COPY Cargo.toml Cargo.lock ./
COPY sandbox/Cargo.toml sandbox/Cargo.toml
COPY xtask/Cargo.toml xtask/Cargo.toml
RUN mkdir -p src benches tests/e2e sandbox/src xtask/src \
    && echo 'fn main() {}' > src/main.rs \
    && cp src/main.rs sandbox/src/ && cp src/main.rs xtask/src/ && cp src/main.rs tests/e2e/ \
    && cp src/main.rs benches/translate.rs \
    && touch src/lib.rs sandbox/src/lib.rs xtask/src/lib.rs \
    && cargo build --release --locked --package gitter-matrix-bridge --bin gitter-matrix-bridge

COPY build.rs build.rs
COPY migrations migrations
COPY src src
# For `--version`: `docker build --build-arg GITTER_BRIDGE_COMMIT="$(git rev-parse --short=12 HEAD)" .`
ARG GITTER_BRIDGE_COMMIT=
# The placeholders are newer than the files copied over them, so Cargo has to be told.
RUN touch src/lib.rs src/main.rs \
    && cargo build --release --locked --package gitter-matrix-bridge --bin gitter-matrix-bridge

# The small Gitter server that the profile `try` of compose.yaml takes: `docker build --target sandbox .`
FROM build AS build-sandbox
COPY sandbox/src sandbox/src
RUN touch sandbox/src/lib.rs sandbox/src/main.rs \
    && cargo build --release --locked --package gitter-sandbox --bin gitter-sandbox

FROM debian:bookworm-slim AS sandbox
COPY --from=build-sandbox /build/target/release/gitter-sandbox /usr/local/bin/
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
ENTRYPOINT ["gitter-sandbox"]
CMD ["--listen", "0.0.0.0:5000"]

FROM debian:bookworm-slim AS bridge
LABEL org.opencontainers.image.title="gitter-matrix-bridge" \
    org.opencontainers.image.description="A bridge between Gitter (the open-source web application) and Matrix" \
    org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 1777 /data
COPY --from=build /build/target/release/gitter-matrix-bridge /usr/local/bin/
COPY LICENSE /usr/share/doc/gitter-matrix-bridge/LICENSE

# Any other id works as well (`--user`), as long as it may write to /data.
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
ENV GITTER_BRIDGE_CONFIG=/data/config.yaml
EXPOSE 29330
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["gitter-matrix-bridge", "health"]
ENTRYPOINT ["gitter-matrix-bridge"]
CMD ["-c", "/data/config.yaml", "serve"]
