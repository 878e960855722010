# The agent's image; with --target, the operator's (operator), and those of the API server proxy (apiserver) and the
# recorder (recorder).
# docs/image.md describes their contents, the privileges that they need and how to build them.
ARG BASE_IMAGE=docker.io/library/debian:trixie-slim
ARG NODE_IMAGE=docker.io/library/node:24-trixie-slim
ARG TAILSCALE_IMAGE=docker.io/tailscale/tailscale:v1.102.5

FROM ${TAILSCALE_IMAGE} AS daemon

FROM ${NODE_IMAGE} AS node
# A seventh of the program are symbols for debuggers.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && strip --strip-unneeded /usr/local/bin/node

# The bundle is the same for every architecture, so it is built on the building machine's.
FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS bundle
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN node tools/build.ts

# What both images have, as the same layers: a node that has one of them fetches only the rest of the other.
FROM ${BASE_IMAGE} AS runtime
# libstdc++6 is for node.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libstdc++6 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=node /usr/local/bin/node /usr/local/bin/

# The operator runs no program, so it has none.
FROM runtime AS operator
# With a package.json, since without one Node tries to read a file as CommonJS first.
COPY images/lib/package.json /usr/local/lib/culvert/
COPY --from=bundle /src/dist/operator.js /src/dist/OPERATOR-NOTICES /usr/local/lib/culvert/
ARG VERSION
LABEL org.opencontainers.image.title="Culvert operator" \
    org.opencontainers.image.description="Makes proxies of a tailnet from objects of a Kubernetes cluster" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/usr/local/lib/culvert/operator.js"]

# Nor does the API server proxy, which runs beside the agent.
FROM runtime AS apiserver
COPY images/lib/package.json /usr/local/lib/culvert/
COPY --from=bundle /src/dist/apiserver.js /src/dist/APISERVER-NOTICES /usr/local/lib/culvert/
ARG VERSION
LABEL org.opencontainers.image.title="Culvert API server proxy" \
    org.opencontainers.image.description="Lets peers of a tailnet use the API of a Kubernetes cluster as themselves" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/usr/local/lib/culvert/apiserver.js"]

# Nor does the recorder.
FROM runtime AS recorder
COPY images/lib/package.json /usr/local/lib/culvert/
COPY --from=bundle /src/dist/recorder.js /src/dist/recorder-s3.js /src/dist/RECORDER-NOTICES /usr/local/lib/culvert/
COPY --from=bundle /src/dist/recorder-web/ /usr/local/lib/culvert/recorder-web/
ARG VERSION
LABEL org.opencontainers.image.title="Culvert recorder" \
    org.opencontainers.image.description="Keeps the recordings of sessions in a tailnet" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/usr/local/lib/culvert/recorder.js"]

FROM runtime
# tini is for images/bin/culvert; iptables contains both of its variants, nft and legacy. busybox has programs that users'
# scripts and health checks call and that Debian's base lacks, such as wget, ping and ash; each of them is linked if no
# other program has its name. Debian's busybox nc lacks -z, with which health checks test a port.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        busybox ca-certificates conntrack iproute2 iptables netcat-openbsd nftables procps tini \
    && for path in $(busybox --list-full); do \
        command -v "${path##*/}" > /dev/null || ln -s /usr/bin/busybox "/$path"; \
    done \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=daemon /usr/local/bin/tailscale /usr/local/bin/tailscaled /usr/local/bin/
COPY images/bin/ /usr/local/bin/
# With a package.json, since without one Node tries to read a file as CommonJS first.
COPY images/lib/ /usr/local/lib/culvert/
# Debian's alternatives link to our script, which picks a variant; the variants keep their own names.
RUN for name in iptables ip6tables; do \
        ours=/usr/local/lib/culvert/iptables; \
        update-alternatives --quiet --log /dev/null --install "/usr/sbin/$name" "$name" "$ours" 100 \
            --slave "/usr/sbin/$name-restore" "$name-restore" "$ours" \
            --slave "/usr/sbin/$name-save" "$name-save" "$ours" \
            || exit; \
    done
COPY --from=bundle /src/dist/agent.js /src/dist/yaml.js /src/dist/svg.js /src/dist/NOTICES /usr/local/lib/culvert/
# The agent must know the capability version of its tailscaled before that runs.
# This also leaves Node's compile cache of the agent.
RUN culvert check-image --record

ARG VERSION
LABEL org.opencontainers.image.title="Culvert agent" \
    org.opencontainers.image.description="Carries traffic between a Kubernetes cluster and a tailnet: runs tailscaled in a proxy Pod" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["/usr/local/lib/culvert/healthcheck"]
ENTRYPOINT ["/usr/local/lib/culvert/entrypoint"]
