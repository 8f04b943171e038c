#!/usr/bin/env bash
# fixed_addresses.sh COMMAND...: runs it at fixed addresses if that is allowed here. ThreadSanitizer's run-time
# may not start where the kernel randomises addresses widely.
if setarch -R true 2>/dev/null; then
    exec setarch -R "$@"
fi
exec "$@"
