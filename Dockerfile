# One image for every process: `docker run IMAGE serve evaluation`. docs/deploying.md says what each one needs.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN pip install setuptools==80.9.0 && python -m venv --without-pip /opt/togglemaster
# Before the sources: what is locked changes less often than they do.
COPY requirements.lock ./
RUN pip --python /opt/togglemaster/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md ./
COPY domain domain
COPY commands commands
COPY projections projections
COPY workers workers
COPY api api
COPY deploy deploy
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/togglemaster/bin/python install --no-deps --no-index /wheels/*.whl

FROM python:3.11.14-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ToggleMaster" \
      org.opencontainers.image.description="A feature-flag platform in which every change is an event" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.14-slim-bookworm"
# Nothing installs here any more, and what cannot install has no faults to patch. Volumes that are mounted on the
# two directories take over their owner.
RUN python -m pip uninstall --yes --root-user-action ignore setuptools wheel pip \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/togglemaster/spool /var/lib/togglemaster/copies
COPY --from=build /opt/togglemaster /opt/togglemaster
# Reachable from outside the container; nothing is written but the spool and the copies.
ENV PATH=/opt/togglemaster/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    TOGGLEMASTER_HOST=0.0.0.0 \
    TOGGLEMASTER_SPOOL_DIR=/var/lib/togglemaster/spool \
    TOGGLEMASTER_COPY_DIR=/var/lib/togglemaster/copies
USER 10001:10001
WORKDIR /var/lib/togglemaster
EXPOSE 8080 8081 9100
# Each process is healthy in its own way and on its own port: compose.yaml and the manifests say how to ask it.
HEALTHCHECK NONE
ENTRYPOINT ["togglemaster"]
CMD ["--help"]
