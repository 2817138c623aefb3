# The image of mlb: the program and Debian's HAProxy, started as marathon-lb's
# image is started. Paths, ports and default arguments are contract 1.1.
#
# BUILD_IMAGE needs Go, RUNTIME_IMAGE is Debian. Where the usual base images
# cannot be fetched, scripts/image-base makes both; see "make image".
ARG BUILD_IMAGE=golang:1.26
ARG RUNTIME_IMAGE=debian:stable-slim

FROM ${BUILD_IMAGE} AS build
LABEL mlb.stage=build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/mlb ./cmd/mlb \
 && go -C tools run ./licences -texts /out/licences .. \
 && go clean -cache

FROM ${RUNTIME_IMAGE} AS runtime
RUN command -v haproxy >/dev/null && [ -e /etc/ssl/certs/ca-certificates.crt ] \
 || { apt-get update \
   && apt-get install -y --no-install-recommends haproxy ca-certificates \
   && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; }
# What is written at run time belongs to group 0 and may be written by it: with
# "--user 1000" Docker gives the group 0, and nothing else in the image has it,
# HAProxy's worker least of all.
RUN mkdir -p /marathon-lb/templates /run/haproxy /var/state/haproxy /var/lib/mlb \
 && for name in run marathon_lb.py zdd.py bluegreen_deploy.py reload_haproxy.sh; do ln -s /usr/local/bin/mlb /marathon-lb/$name; done \
 && chgrp -R 0 /marathon-lb /run/haproxy /var/state/haproxy /var/lib/mlb /etc/ssl \
 && chmod g+rwx /marathon-lb /marathon-lb/templates /run/haproxy /var/state/haproxy /var/lib/mlb /etc/ssl
WORKDIR /marathon-lb
EXPOSE 80 443 9090 9091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/local/bin/mlb", "health"]
ENTRYPOINT ["/marathon-lb/run"]
CMD ["sse", "--health-check", "--group", "external"]

COPY lua /marathon-lb/
COPY LICENSE NOTICE /usr/share/doc/mlb/
COPY --from=build /out/licences /usr/share/doc/mlb/licences
COPY --from=build /out/mlb /usr/local/bin/mlb
ARG VERSION=unknown
LABEL mlb.stage=runtime \
      org.opencontainers.image.title=mlb \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=${VERSION}
