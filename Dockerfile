# One image, two commands: the service (the default) and the worker (python -m worker).
ARG PYTHON_IMAGE=python:3.13-slim

# --- The locked dependencies, in an environment that holds no pip ---------------------------------
FROM ${PYTHON_IMAGE} AS locked
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/inkwell
COPY requirements.lock .
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/inkwell/bin/python install --quiet --no-compile \
        --require-hashes --only-binary :all: -r requirements.lock

# --- What of them is needed to run: no setuptools, tests, sources, stubs, symbols -----------------
# The libraries that wheels bring along (*.libs) keep their symbols: they were patched after they
# were linked, and not every version of strip leaves such a file fit to be loaded.
FROM locked AS dependencies
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils
RUN python -m pip --python /opt/inkwell/bin/python uninstall --quiet --yes setuptools \
 && find /opt/inkwell/lib -depth -type d \( -name tests -o -path '*/joblib/test' \
        -o -path '*/mpl-data/sample_data' \) -exec rm -r {} + \
 && find /opt/inkwell/lib -type f -regex '.*\.\(pyi\|pxd\|pyx\|tp\|h\|c\|cpp\|a\)' -delete \
 && find /opt/inkwell/lib -type f -name '*.so' -not -path '*.libs/*' \
        -exec strip --strip-unneeded {} +

# --- The project, built with the locked setuptools, in a prefix of its own ------------------------
FROM locked AS project
WORKDIR /source
COPY . .
RUN python -m pip --python /opt/inkwell/bin/python install --quiet --no-compile --no-deps \
        --no-build-isolation --prefix /project . \
 && ln -s "$(cd /project && echo lib/python*/site-packages)/service/gunicorn.conf.py" /project/

# --- The image ------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 inkwell \
 && useradd --uid 10001 --gid inkwell --no-create-home --home-dir /tmp \
        --shell /usr/sbin/nologin inkwell \
 && install --directory --owner inkwell --group inkwell --mode 0750 /var/lib/inkwell

# Two layers: a new version of the project leaves the large one as it is.
COPY --from=dependencies /opt/inkwell /opt/inkwell
COPY --from=project /project /opt/inkwell

# HOME is /tmp: beside the store the one place that can be written under a read-only root.
ENV PATH=/opt/inkwell/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    INKWELL_STORE=/var/lib/inkwell \
    INKWELL_HOST=0.0.0.0
WORKDIR /opt/inkwell

# Each module is imported once: nothing that was left out above is missed. The bytecode of what that
# loads stays, Python's own library's too (the base images have none): the processes then start
# three to four times as fast, and so do the health checks. The rest never runs, and stays without.
RUN PYTHONDONTWRITEBYTECODE= python - <<'EOF_PYTHON'
import importlib
import pkgutil

names = ["gunicorn.app.wsgiapp", "gunicorn.glogging", "gunicorn.workers.gthread"]
names += ["http.client", "encodings.idna"]  # the service's health check
for room in ("nncore", "jobs", "service", "worker", "inkwell"):
    path = importlib.import_module(room).__path__
    names += [module.name for module in pkgutil.walk_packages(path, f"{room}.")]
for name in set(names) - {"service.wsgi", "inkwell.__main__"}:  # these two start at once
    importlib.import_module(name)
EOF_PYTHON

USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "-c", "/opt/inkwell/gunicorn.conf.py", "service.wsgi:app"]

# Last, so that a new date or commit builds nothing anew.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Inkwell" \
      org.opencontainers.image.description="Trains, versions and serves a neural network written from scratch in NumPy." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
