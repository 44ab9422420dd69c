# One image for every worker:  docker build --tag mailtumble .
# Its install steps stand in tools/image/, where they can be run and tested without Docker.

# The digest names the bytes; the tag says what they are. Both stages have the same Python, so
# that the environment that the first makes runs in the second.
FROM python:3.13.9-slim-bookworm@sha256:b685a4fa58bb19d1814d78a1ec0f0208f351452724f78b20212c984d6e124a34 AS base

FROM base AS build
WORKDIR /src
COPY . .
RUN tools/image/install.sh /opt/mailtumble

FROM base
RUN --mount=type=bind,source=tools/image,target=/image /image/system.sh
COPY --from=build /opt/mailtumble /opt/mailtumble

ENV PATH=/opt/mailtumble/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MAILTUMBLE_WEB_PORT=8080

USER 10001:10001

# The supervisor has its shards handed over, for which docker stop and compose have to wait
# longer than MAILTUMBLE_KCL_GRACE_S: see docs/how-to.md.
STOPSIGNAL SIGTERM

# 503, an exception here, is a worker whose shards don't move. The start leaves time for the
# first leases.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health', timeout=4)"]

ENTRYPOINT ["tini", "--", "mailtumble"]
CMD ["--help"]
