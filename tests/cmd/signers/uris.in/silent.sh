#!/bin/sh
echo "the key is in the safe" >&2
exit 9
