# The daemon: docker build -t gitops-wf .
# Python and Debian come from the base image; give another by --build-arg BASE=…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/gitops-wf
COPY pyproject.toml constraints.txt README.md ./
COPY config ./config
COPY gitops_wf ./gitops_wf
RUN /opt/gitops-wf/bin/pip install --no-cache-dir -c constraints.txt '.[apprise,postgres,kubectl,helm,sops]' \
    # Its first start makes the program executable, which a read-only root forbids.
    && /opt/gitops-wf/bin/sops --help >/dev/null

FROM ${BASE}
# git and ssh speak to remotes; gpg reads OpenPGP keys of SOPS; tini passes signals on and reaps what they leave.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git gnupg openssh-client tini \
    && rm -rf /var/lib/apt/lists/*
# A user of its own: ssh refuses to run for a number that has no name.
RUN useradd --uid 65532 --user-group --no-create-home --home-dir /var/lib/gitops-wf \
        --shell /usr/sbin/nologin gitops-wf \
    && install -d -o 65532 -g 65532 -m 0750 /var/lib/gitops-wf
COPY --from=build /opt/gitops-wf /opt/gitops-wf
ENV PATH=/opt/gitops-wf/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
# All that it writes is here and in /tmp: the root may be read-only.
WORKDIR /var/lib/gitops-wf
EXPOSE 8080
ENTRYPOINT ["tini", "--", "gitops-wf"]
CMD ["run", "--config", "/etc/gitops-wf/gitops-wf.yaml"]
