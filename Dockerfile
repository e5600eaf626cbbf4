# The whole service in one container. `--target serve` leaves out training, and nine tenths of the size.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS service
COPY requirements/serve.txt /opt/requirements/
# What neither serving nor training loads is cut: LiteRT's GPU accelerator, its compilers for other processors and its
# converters; Pillow's AVIF and WebP; NumPy's build tools; Pygments' lexers; PyYAML's binding to libyaml; pydantic's first
# version; what boto3 knows of services, except of Batch and of those that give credentials; tests, headers and stubs.
RUN export PYTHONDONTWRITEBYTECODE=1 \
    && python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --no-deps \
        --requirement /opt/requirements/serve.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -r ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/schema_py_generated.py ai_edge_litert/*_pb2.py \
        ai_edge_litert/aot ai_edge_litert/tools \
        PIL/_avif.* PIL/_webp.* pillow.libs/libavif* pillow.libs/libwebp* \
        numpy/f2py numpy/_core/_simd.* yaml/_yaml.* pydantic/v1 boto3/data boto3/examples \
    # Only in the wheels for x86_64, and for Python 3.11.
    && rm -rf ai_edge_litert/vendors numpy/distutils \
    && find pygments/lexers -name '*.py' ! -name __init__.py ! -name _mapping.py -delete \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name batch ! -name signin ! -name sso ! -name sso-oidc ! -name sts -exec rm -r {} + \
    && find . -name tests -prune -exec rm -r {} + \
    && find . \( -name '*.a' -o -name '*.h' -o -name '*.pyi' \) -delete \
    # The code is laid out as in a checkout, and found there.
    && printf '/app\n/app/layers/shared\n' >digits.pth \
    # A container's first process has no default for SIGTERM, and imports take a second.
    && printf '%s\n' '#!/opt/venv/bin/python' 'import signal, sys' \
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))' 'from local.cli.app import main' 'main()' \
        >/opt/venv/bin/digits \
    && chmod +x /opt/venv/bin/digits \
    # Unchecked: nothing in an image changes, so nothing need be compared.
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv \
    # Whoever the container runs as may write to a new volume.
    && mkdir --mode 1777 /data
# With a store on S3, the key and the jobs are in XDG_DATA_HOME.
ENV PATH=/opt/venv/bin:${PATH} PYTHONUNBUFFERED=1 HOME=/tmp XDG_DATA_HOME=/data \
    DIGITS_STORE=file:///data DIGITS_HOST=0.0.0.0 PORT=3000
WORKDIR /app
EXPOSE 3000
VOLUME /data /tmp
# Without the service's modules, a check takes 0.03 s.
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
# Any user may read, whatever a checkout's permissions are.
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .
# A cut too deep ends the build here: this loads what serving loads, and reads a digit.
RUN for name in predict train convert; do PYTHONPATH=functions/$name python -c "import app" || exit; done \
    && python -c "import boto3; boto3.client('batch', 'us-east-1')" \
    && digits predict example/7.png | grep ': 7 '

FROM service AS serve
COPY --from=code /app /app
# It leaves the bytecode of Python's own modules, which python's images come without.
RUN for name in predict train convert; do PYTHONPATH=functions/$name python -c "import app, local.cli.app" || exit; done
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
ENV DIGITS_REVISION=${REVISION}
USER 65534:65534

FROM service AS training
COPY requirements/training.txt /opt/requirements/
# pip passes over what is there. No training needs TensorFlow's headers.
RUN export PYTHONDONTWRITEBYTECODE=1 \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --no-deps \
        --requirement /opt/requirements/training.txt \
    && rm -r /opt/venv/lib/python3*/site-packages/tensorflow/include \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv

FROM training
COPY --from=code /app /app
RUN for name in predict train convert; do PYTHONPATH=functions/$name python -c "import app, local.cli.app" || exit; done \
    && python -c "import training.pipeline" \
    # Of root's, and in the way of other users.
    && rm -rf /tmp/.cache /tmp/.config /tmp/.keras
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
ENV DIGITS_REVISION=${REVISION}
USER 65534:65534
