# The agent's image, made of its Debian package: the program, the libraries it needs and authorities, no shell. The context
# is the folder with the packages:
#   packaging/build_deb.sh && docker build -f packaging/docker/agent.Dockerfile -t midst-agent build/package/deb
# --target debian keeps the whole Debian around it, for a look inside.
FROM debian:bookworm-slim AS debian
RUN groupadd --system --gid 10001 midst-agent && \
    useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir / --shell /usr/sbin/nologin midst-agent
COPY midst-agent_*.deb /tmp/
RUN apt-get update -qq && \
    apt-get install -y -qq --no-install-recommends ca-certificates systemd-standalone-sysusers /tmp/midst-agent_*.deb && \
    rm -rf /var/lib/apt/lists/* /tmp/*.deb /etc/midst-agent/conf.d/* && \
    printf '# Settings of the image; put a file of your own in its place, or say REDIS_ADDR and DATA_SOURCE_NAME.\n[web]\nlisten = [":9464"]\n' \
      >/etc/midst-agent/midst-agent.toml && \
    install -d -o 10001 -g 10001 -m 2775 /run/midst-agent && \
    midst-agent --version
USER 10001:10001
VOLUME /run/midst-agent
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["/usr/bin/midst-agent", "health"]
ENTRYPOINT ["/usr/bin/midst-agent"]
CMD ["run"]

FROM debian AS parts
USER root
RUN mkdir /image && \
    cp -L --parents /usr/bin/midst-agent $(ldd /usr/bin/midst-agent | grep -o '/[^ ]*') /etc/ssl/certs/ca-certificates.crt /image && \
    cp -a --parents /etc/midst-agent /run/midst-agent /image && \
    grep -E '^(root|midst-agent|midst-push):' /etc/passwd >/image/etc/passwd && \
    grep -E '^(root|midst-agent|midst-push):' /etc/group >/image/etc/group && \
    install -d -m 1777 /image/tmp

FROM scratch
COPY --from=parts /image /
RUN ["/usr/bin/midst-agent", "--version"]
USER 10001:10001
VOLUME /run/midst-agent
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["/usr/bin/midst-agent", "health"]
ENTRYPOINT ["/usr/bin/midst-agent"]
CMD ["run"]
