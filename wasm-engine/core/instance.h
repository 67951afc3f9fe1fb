// SPDX-License-Identifier: BSD-3-Clause
// we_instance: inside a store.
//
// Module path 4/6. Spec: core "Instantiation".
#pragma once

#include "runtime.h"

// Take back the newest instance of the store; what it made in the store stays.
void we_instance_delete_newest(struct we_store *store);
