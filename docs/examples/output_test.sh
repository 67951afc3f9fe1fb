#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The example prints what the document says that it prints.
#
#   output_test.sh EMBED EMBEDDING.md
set -euo pipefail
diff <(sed -n '/^```output$/,/^```$/p' "$2" | sed '/^```/d') <("$1")
