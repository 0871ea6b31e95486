# SQS and DynamoDB for one machine: ministack, as `togglemaster dev` and the tests run it. Not for production.
FROM python:3.11.14-slim-bookworm
RUN pip install --no-cache-dir --disable-pip-version-check ministack==1.5.33 \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/ministack
# It keeps its state when it is stopped cleanly. IoT and SFTP would listen on ports of their own.
ENV BIND_HOST=0.0.0.0 \
    GATEWAY_PORT=4566 \
    SERVICES=sqs,dynamodb \
    PERSIST_STATE=1 \
    STATE_DIR=/var/lib/ministack \
    TMPDIR=/var/lib/ministack \
    IOT_MTLS_ENABLED=0 \
    SFTP_ENABLED=0 \
    LOG_LEVEL=WARNING \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/ministack
EXPOSE 4566
ENTRYPOINT ["python", "-m", "ministack"]
