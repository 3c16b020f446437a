# The API's image, made of its Debian package, as agent.Dockerfile. Its group is the agent's, so that it may push where both
# share /run/midst-agent. That folder is in both images, for a new volume takes its owner from the one that comes first.
#   docker build -f packaging/docker/api.Dockerfile -t midst-api build/package/deb
FROM debian:bookworm-slim AS debian
RUN groupadd --system --gid 10001 midst-push && groupadd --system --gid 10002 midst-api && \
    useradd --system --uid 10002 --gid 10002 --no-create-home --home-dir / --shell /usr/sbin/nologin midst-api
COPY midst-api_*.deb /tmp/
RUN apt-get update -qq && \
    apt-get install -y -qq --no-install-recommends ca-certificates systemd-standalone-sysusers /tmp/midst-api_*.deb && \
    rm -rf /var/lib/apt/lists/* /tmp/*.deb && \
    install -d -o 10001 -g 10001 -m 2775 /run/midst-agent && \
    midst-api --version
ENV API_LISTEN=:3001
USER 10002:10001
EXPOSE 3001
ENTRYPOINT ["/usr/bin/midst-api"]

FROM debian AS parts
USER root
RUN mkdir /image && \
    cp -L --parents /usr/bin/midst-api $(ldd /usr/bin/midst-api | grep -o '/[^ ]*') /etc/ssl/certs/ca-certificates.crt /image && \
    cp -a --parents /etc/midst-api /run/midst-agent /image && \
    grep -E '^(root|midst-api|midst-push):' /etc/passwd >/image/etc/passwd && \
    grep -E '^(root|midst-api|midst-push):' /etc/group >/image/etc/group && \
    install -d -m 1777 /image/tmp

FROM scratch
COPY --from=parts /image /
RUN ["/usr/bin/midst-api", "--version"]
ENV API_LISTEN=:3001
USER 10002:10001
EXPOSE 3001
ENTRYPOINT ["/usr/bin/midst-api"]
