# The whole service in one container. `--target serve` leaves out training, which is 90 % of the
# size.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS service
COPY requirements/serve.txt /opt/requirements/
# Neither serving nor training loads these parts, so they are removed: LiteRT's GPU accelerator,
# compilers for other processors and converters; Pillow's AVIF and WebP; NumPy's self-test; Pygments'
# lexers; PyYAML's binding to libyaml; pydantic's first version; boto3's data of services other than
# Batch and the sources of credentials; tests, headers, stubs.
RUN export PYTHONDONTWRITEBYTECODE=1 \
    && python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --no-deps \
        --requirement /opt/requirements/serve.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -r ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/schema_py_generated.py ai_edge_litert/*_pb2.py \
        ai_edge_litert/aot ai_edge_litert/tools \
        PIL/_avif.* PIL/_webp.* pillow.libs/libavif* pillow.libs/libwebp* \
        numpy/_core/_simd.* yaml/_yaml.* pydantic/v1 boto3/data boto3/examples \
    # Only the wheels for x86_64, and for Python 3.11, have these folders.
    && rm -rf ai_edge_litert/vendors numpy/distutils \
    && find pygments/lexers -name '*.py' ! -name __init__.py ! -name _mapping.py -delete \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name batch ! -name signin ! -name sso ! -name sso-oidc ! -name sts -exec rm -r {} + \
    # SciPy loads numpy.testing, which reads one module of NumPy's tests.
    && find numpy/_core/tests -mindepth 1 ! -name _natype.py -delete \
    && find . -path ./numpy/_core/tests -prune -o -name tests -prune -exec rm -r {} + \
    && find . \( -name '*.a' -o -name '*.h' -o -name '*.pyi' \) -delete \
    # The code has the layout of a checkout.
    && printf '/app\n/app/layers/shared\n' >digits.pth \
    # The first process of a container ignores SIGTERM unless it sets a handler, and imports take a
    # second.
    && printf '%s\n' '#!/opt/venv/bin/python' 'import signal, sys' \
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))' 'from local.cli.app import main' 'main()' \
        >/opt/venv/bin/digits \
    && chmod +x /opt/venv/bin/digits \
    # Files in an image never change, so Python need not compare bytecode with sources.
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv \
    # Any user may write to a new volume.
    && mkdir --mode 1777 /data
# With a store on S3, XDG_DATA_HOME has the key and the jobs.
ENV PATH=/opt/venv/bin:${PATH} PYTHONUNBUFFERED=1 HOME=/tmp XDG_DATA_HOME=/data \
    DIGITS_STORE=file:///data DIGITS_HOST=0.0.0.0 PORT=3000
WORKDIR /app
EXPOSE 3000
VOLUME /data /tmp
# The check imports no module of the service, and takes 0.03 s.
HEALTHCHECK --interval=30s --timeout=10s CMD ["python", "-ISc", "\
import http.client, os, sys; \
connection = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT'])); \
connection.request('GET', '/health'); \
sys.exit(connection.getresponse().status != 200)"]
ENTRYPOINT ["digits"]
CMD ["serve"]
LABEL org.opencontainers.image.title="digits" org.opencontainers.image.licenses="MIT"

FROM service AS code
COPY LICENSE template.yaml ./
COPY data/README.md data/starter.npz data/
COPY example example
COPY functions functions
COPY layers/shared/digits layers/shared/digits
COPY local local
COPY training training
COPY web web
# Any user may read the files, whatever permissions the checkout has.
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .
# The build fails here if a needed file was removed: this step loads what serving loads, and reads a
# digit.
RUN for name in predict train convert; do PYTHONPATH=functions/$name python -c "import app" || exit; done \
    && python -c "import boto3; boto3.client('batch', 'us-east-1')" \
    && digits predict example/7.png | grep ': 7 '

FROM service AS serve
COPY --from=code /app /app
# The imports leave the bytecode of Python's own modules, which the base image lacks.
RUN for name in predict train convert; do PYTHONPATH=functions/$name python -c "import app, local.cli.app" || exit; done
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
ENV DIGITS_REVISION=${REVISION}
USER 65534:65534

FROM service AS training
COPY requirements/training.txt /opt/requirements/
# pip skips installed packages. No training needs TensorFlow's headers and the tests of SciPy and
# scikit-image.
RUN export PYTHONDONTWRITEBYTECODE=1 \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --no-deps \
        --requirement /opt/requirements/training.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -r tensorflow/include \
    && find scipy skimage -name tests -prune -exec rm -r {} + \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv

FROM training
COPY --from=code /app /app
RUN for name in predict train convert; do PYTHONPATH=functions/$name python -c "import app, local.cli.app" || exit; done \
    && python -c "import training.pipeline" \
    # These folders belong to root, and other users could not write to them.
    && rm -rf /tmp/.cache /tmp/.config /tmp/.keras
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
ENV DIGITS_REVISION=${REVISION}
USER 65534:65534
