// SPDX-License-Identifier: BSD-3-Clause
// dp_notify: tells the service manager how weir is: sd_notify(3)'s datagrams, without its library.
//
// Thread:  any.
#pragma once

// Send "READY=1", "STOPPING=1", "STATUS=..." (several with '\n' between) to NOTIFY_SOCKET. Without a
// service manager, and when it does not listen, nothing happens.
void dp_notify(const char *state);
