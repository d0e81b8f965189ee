# The daemon, for Kubernetes (manifests/) or any container host.
#   docker build -t gitops-wf .
#   docker run --read-only --tmpfs /tmp -v gitops-wf:/data -v $PWD/gitops-wf.yaml:/etc/gitops-wf/gitops-wf.yaml gitops-wf

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY gitops_wf gitops_wf
COPY config config
# A virtual environment moves to the next stage whole, and pip stays behind.
RUN python -m venv /opt/gitops-wf \
    && /opt/gitops-wf/bin/pip install --no-cache-dir -c constraints.txt '.[postgres,kubectl]' \
    && /opt/gitops-wf/bin/pip uninstall -y pip setuptools

FROM python:3.11-slim-bookworm
# git and ssh fetch; tini hands signals on and takes in what git leaves behind.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    # ssh refuses to run for a user that /etc/passwd does not name.
    && groupadd --gid 65532 gitops-wf \
    && useradd --uid 65532 --gid 65532 --home-dir /data --no-create-home --shell /usr/sbin/nologin gitops-wf \
    && install -d -o 65532 -g 65532 /data
COPY --from=build /opt/gitops-wf /opt/gitops-wf
ENV PATH=/opt/gitops-wf/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["/usr/bin/tini", "--", "/opt/gitops-wf/bin/gitops-wf"]
CMD ["run", "--config", "/etc/gitops-wf/gitops-wf.yaml"]
