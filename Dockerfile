# One image, two commands: the service (the default) and the worker (python -m worker).
ARG PYTHON_IMAGE=python:3.13-slim

# --- The locked dependencies, in an environment that holds no pip ---------------------------------
FROM ${PYTHON_IMAGE} AS locked
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/inkwell
COPY requirements.lock requirements-otel.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/inkwell/bin/python install --quiet --no-compile \
        --require-hashes --only-binary :all: -r requirements.lock -r requirements-otel.lock

# --- What of them is needed to run: no setuptools, tests, sources, stubs, symbols -----------------
FROM locked AS dependencies
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils
RUN python -m pip --python /opt/inkwell/bin/python uninstall --quiet --yes setuptools \
 && find /opt/inkwell/lib -depth -type d \( -name tests -o -path '*/joblib/test' \
        -o -path '*/mpl-data/sample_data' \) -exec rm -r {} + \
 && find /opt/inkwell/lib -type f -regex '.*\.\(pyi\|pxd\|pyx\|tp\|h\|c\|cpp\|a\)' -delete \
 && find /opt/inkwell/lib -type f -name '*.so*' -exec strip --strip-unneeded {} +

# What we never ask for: parts and compiled modules of these packages that nothing loads which we
# load, AVIF pictures, text and colour profiles in pictures, what only NumPy's tests use, pictures and
# tables of others, fonts but the one that reports are written in. What is missed after all is met below, where each module of ours
# is imported.
RUN /opt/inkwell/bin/python - <<'EOF_PYTHON'
import pkgutil
import shutil
import sys
from pathlib import Path

import contourpy
import fontTools
import matplotlib.backends.backend_agg
import matplotlib.figure
import pygments
import rich.progress
import scipy
import sklearn.datasets
import sklearn.model_selection

for package in (scipy, sklearn, fontTools, pygments):
    for part in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if part.ispkg and part.name not in sys.modules:
            shutil.rmtree(Path(package.__path__[0], part.name.rpartition(".")[2]))
site = Path(scipy.__path__[0]).parent
fonts = site / "matplotlib" / "mpl-data" / "fonts"
for folder in (fonts / "afm", fonts / "pdfcorefonts", fonts.parent / "images"):
    shutil.rmtree(folder)
used = "DejaVuSans", "LastResortHE-Regular"
unused = [font for font in fonts.glob("ttf/*.ttf") if font.stem not in used]
of_text = "freetype", "harfbuzz", "png16", "brotlicommon", "brotlidec"
for library in ("avif", *of_text, "lcms2"):
    unused += site.glob(f"pillow.libs/lib{library}-*")
for module in ("PIL/_avif", "PIL/_imagingft", "PIL/_imagingcms", "numpy/_core/_simd"):
    unused += site.glob(f"{module}.*.so")
unused += site.glob("numpy/_core/_*_tests.*.so")
unused += site.glob("sklearn/datasets/images/*.jpg")
unused += site.glob("scipy/stats/*.npz")
loaded = {getattr(module, "__file__", None) for module in sys.modules.values()}
for package in (scipy, sklearn, fontTools, matplotlib, contourpy):
    unused += [so for so in Path(package.__path__[0]).rglob("*.so") if str(so) not in loaded]
for file in unused:
    file.unlink()
EOF_PYTHON

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
RUN PYTHONDONTWRITEBYTECODE= MPLCONFIGDIR=/dev/shm python - <<'EOF_PYTHON'
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
