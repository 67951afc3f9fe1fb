// SPDX-License-Identifier: BSD-3-Clause
// we_instance: inside a store.
//
// Module path 4/6. Spec: core "Instantiation".
#pragma once

#include "runtime.h"

// Take back the newest instance of the store; what it made in the store stays.
void we_instance_delete_newest(struct we_store *store);
// What an instance exports by this line of its module.
void we_instance_extern(
	const struct we_instance *inst, const struct we_export_def *export, struct we_extern *ret);
const struct we_store *we_extern_store(const struct we_extern *ext);
