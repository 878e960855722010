# What the image of upstream's agent consists of, on the same Debian as ours: upstream's own lies on Alpine.
ARG BASE_IMAGE
ARG TAILSCALE_IMAGE
FROM ${TAILSCALE_IMAGE} AS upstream

FROM ${BASE_IMAGE}
# procps for sysctl, which operators run in it and Alpine's busybox has.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates iproute2 iptables procps \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=upstream /usr/local/bin/ /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/containerboot"]
