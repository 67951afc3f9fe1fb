// SPDX-License-Identifier: BSD-3-Clause
// we_protocol: what weir and the compiler's process say to each other.
//
// Module path 3/6. One SOCK_SEQPACKET connection, one record a packet. The compiler's process says hello once it is ready.
// Then: a request with two descriptors, the module (a sealed memfd) and an empty memfd for the image; an answer; and so on, one at a
// time. The end of the connection ends the process and what it is doing.
// Owns: nothing.
#pragma once

#include "cpu.h"
#include "we.h"

enum {
	WE_PROTOCOL_VERSION = 1,
	WE_PROTOCOL_FD = 3,     // where the compiler's process finds its end
	WE_PROTOCOL_MODULE = 0, // descriptors of a request
	WE_PROTOCOL_IMAGE = 1,
	WE_PROTOCOL_FDS = 2,
	WE_PROTOCOL_TEXT = 200, // bytes of a message with its terminator
};

#define WE_PROTOCOL_HELLO   "wejit-hi"
#define WE_PROTOCOL_REQUEST "wejit-rq"
#define WE_PROTOCOL_ANSWER  "wejit-an"

struct we_protocol_hello {
	char magic[8];
	uint32_t version;
	uint32_t pid;
	char build[72]; // of what it was built from: hexadecimal, terminated
	char llvm[24];  // its LLVM: "22.1.8"
};

struct we_protocol_request {
	char magic[8];
	uint32_t version;
	uint32_t flags; // WE_REQUEST_...
	uint64_t id;
	uint8_t key[32];         // for the image's header
	uint64_t module_bytes;   // size of the module's memfd
	uint64_t file_offset;    // as in we_module_create
	uint64_t max_func_bytes; // of the engine
	uint64_t memory_bytes;   // limits of this compilation
	uint64_t image_bytes;
	uint32_t cpu_ms;
	uint32_t wall_ms;
	uint32_t first_func; // of the module's own functions
	uint32_t n_funcs;
	uint32_t list_func;
	struct we_cpu cpu; // what may be used
};

enum {
	WE_REQUEST_DETERMINISTIC = 1 << 0,
	WE_REQUEST_EXPLICIT_CHECKS = 1 << 1,
	WE_REQUEST_VERIFY = 1 << 2,
	WE_REQUEST_LISTING = 1 << 3, // of list_func, instead of an image
};

enum we_answer_kind {
	WE_ANSWER_OK,      // an image of image_bytes is there
	WE_ANSWER_REFUSED, // code: enum we_failure
	WE_ANSWER_EXITED,  // code: of exit
	WE_ANSWER_KILLED,  // code: the signal
	WE_ANSWER_CPU,     // a limit of the request
	WE_ANSWER_WALL,
	WE_ANSWER_MEMORY,
	WE_ANSWER_UNABLE, // the machine did not let it begin: nothing is known of the functions
};

struct we_protocol_answer {
	char magic[8];
	uint64_t id; // of the request
	uint32_t kind;
	int32_t code;
	uint64_t image_bytes;
	uint64_t cpu_us; // what it took
	uint64_t wall_us;
	uint64_t resident_bytes;     // most
	char text[WE_PROTOCOL_TEXT]; // what was said last, terminated
};
