// SPDX-License-Identifier: BSD-3-Clause
// we_compiler: see compiler.h.
//
// Module path 3/6. Owns: see compiler.h. Thread: any control thread.
#include "compiler.h"

#include "jit_build.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h> // snprintf
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u // Linux 6.3
#endif

enum {
	PATH_BYTES = 4096, // of a program, with its terminator
	START_MS = 20000,  // loading LLVM, on a busy machine
	GRACE_MS = 2000,   // beyond a request's wall_ms
	LOOK_MS = 50,      // between two looks whether anybody waits still
	BACKOFF_MS = 20,   // after the second death in a row; then twice as long each time
	BACKOFF_MAX_MS = 500,
	MAX_LOST =
		16, // deaths in a row, as a large batch may cause that is halved: then it is left alone for
	START_WEIGHT = 4, // a process that does not even start counts as so many deaths
	REST_MS = 30000,
};

#define NS_PER_MS UINT64_C(1000000)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	const struct timespec t = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

// ---- finding it -----------------------------------------------------------------------------------

// The folder of the running program, with its "/". Returns: its length, 0 when it is not known.
static size_t program_folder(char *path, size_t cap)
{
	const ssize_t n = readlink("/proc/self/exe", path, cap);
	const char *slash;

	if (n <= 0 || (size_t)n >= cap)
		return 0;
	path[n] = '\0';
	slash = strrchr(path, '/');
	return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

static int find_program(const char *wanted, char path[PATH_BYTES], struct we_error *err)
{
	static const char *const places[] = {
		"we-jit", "../wasm-engine/we-jit", "../libexec/weir/we-jit"};
	char folder[PATH_BYTES];
	const size_t len = program_folder(folder, sizeof(folder));

	if (wanted == NULL)
		wanted = secure_getenv("WEIR_JIT");
	if (wanted != NULL && *wanted != '\0') {
		snprintf(path, PATH_BYTES, "%s", wanted);
		if (access(path, X_OK) == 0)
			return 0;
		return we_error_set(err, WE_E_UNSUPPORTED, 0, "no compiler \"%s\": %s", wanted,
			strerror(errno));
	}
	for (size_t i = 0; len > 0 && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, PATH_BYTES, "%.*s%s", (int)len, folder, places[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	snprintf(path, PATH_BYTES, "%s/we-jit", WE_JIT_DIR);
	if (access(path, X_OK) == 0)
		return 0;
	if (*WE_JIT_LLVM == '\0')
		return we_error_set(
			err, WE_E_UNSUPPORTED, 0, "this build has no compiler (meson option jit)");
	return we_error_set(err, WE_E_UNSUPPORTED, 0,
		"the compiler we-jit is neither beside the program nor at %s", WE_JIT_DIR);
}

// ---- starting and ending it -------------------------------------------------------------------------

static int create_memfd(const char *name, unsigned flags)
{
	const int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create(name, flags) : fd;
}

// Nothing of this process reaches the other but the connection: no descriptor, no blocked or ignored signal, no place
// in its process group. What stays are the thread's processors, the environment and the folder.
static int spawn(const char *path, int sock, int err_fd, pid_t *ret_pid)
{
	char *const argv[] = {(char *)(uintptr_t)"we-jit", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t signals;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc != 0) {
		posix_spawn_file_actions_destroy(&files);
		return rc;
	}
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&attr, &signals);
	sigfillset(&signals);
	posix_spawnattr_setsigdefault(&attr, &signals);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	// Both are above WE_PROTOCOL_FD, so that neither is overwritten: see start.
	rc = posix_spawn_file_actions_adddup2(&files, sock, WE_PROTOCOL_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&files, err_fd, STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&files, STDIN_FILENO, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&files, WE_PROTOCOL_FD + 1);
	if (rc == 0)
		rc = posix_spawn(ret_pid, path, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

// The descriptor, or a copy of it that is above those which the other process gets.
static int above(int fd)
{
	int copy;

	if (fd < 0 || fd > WE_PROTOCOL_FD)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, WE_PROTOCOL_FD + 1);
	close(fd);
	return copy;
}

static void close_if(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// End the process, whatever it is doing, and see it go.
static void stop(struct we_compiler *c)
{
	siginfo_t info;

	close_if(&c->sock);
	if (c->pidfd >= 0) {
		pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0 && errno == EINTR)
			;
	} else if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_if(&c->pidfd);
	close_if(&c->err_fd);
	c->pid = 0;
}

// A record of exactly n bytes. Returns: 0; ETIMEDOUT; ECANCELED; ECONNRESET when the other end is closed; EPROTO; or what
// failed.
static int receive(const struct we_compiler *c, void *record, size_t n, uint64_t wait_ms)
{
	const uint64_t end_ns = now_ns() + wait_ms * NS_PER_MS;
	struct pollfd poll_fd = {.fd = c->sock, .events = POLLIN};
	ssize_t got;

	for (;;) {
		const uint64_t now = now_ns();
		const uint64_t left_ms = now < end_ns ? (end_ns - now) / NS_PER_MS + 1 : 0;
		const int ready = poll(&poll_fd, 1, left_ms > LOOK_MS ? LOOK_MS : (int)left_ms);

		if (ready > 0)
			break;
		if (c->is_stopped)
			return ECANCELED;
		if (ready < 0 && errno != EINTR)
			return errno;
		if (left_ms == 0)
			return ETIMEDOUT;
	}
	do
		got = recv(c->sock, record, n, MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno;
	if (got == 0)
		return ECONNRESET;
	return (size_t)got == n ? 0 : EPROTO;
}

// Say how the process ended, or that it did not, and what it said; then end it.
static void explain(struct we_compiler *c, const char *what, int cause, struct we_error *err)
{
	char text[128];
	char how[48] = "does not answer";
	siginfo_t info = {0};
	struct pollfd ended = {.fd = c->pidfd, .events = POLLIN};
	ssize_t n;

	if (cause == EPROTO)
		snprintf(how, sizeof(how), "does not keep to the protocol");
	// A process that closed the connection is about to end.
	if (cause == ECONNRESET && c->pidfd >= 0 && poll(&ended, 1, 1000) > 0 &&
		waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOWAIT) == 0) {
		if (info.si_code == CLD_EXITED)
			snprintf(how, sizeof(how), "ended: exit %d", info.si_status);
		else
			snprintf(how, sizeof(how), "ended: SIG%s", sigabbrev_np(info.si_status));
	} else if (cause == ECONNRESET) {
		snprintf(how, sizeof(how), "closed the connection");
	}
	n = pread(c->err_fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	we_error_set(err, WE_E_HOST, 0, "the compiler's process %s%s%s%s", how, what,
		*text != '\0' ? ": " : "", text);
	stop(c);
}

static int was_stopped(struct we_error *err)
{
	return we_error_set(err, WE_E_HOST, 0, "compiling was stopped");
}

static int say_hello(struct we_compiler *c, const char *path, struct we_error *err)
{
	const int cause = receive(c, &c->hello, sizeof(c->hello), START_MS);

	if (cause == ECANCELED) {
		stop(c);
		return was_stopped(err);
	}
	if (cause != 0) {
		explain(c, " when it was started", cause, err);
		return WE_E_HOST;
	}
	c->hello.build[sizeof(c->hello.build) - 1] = '\0';
	c->hello.llvm[sizeof(c->hello.llvm) - 1] = '\0';
	if (memcmp(c->hello.magic, WE_PROTOCOL_HELLO, sizeof(c->hello.magic)) == 0 &&
		c->hello.version == WE_PROTOCOL_VERSION &&
		strcmp(c->hello.build, WE_JIT_BUILD) == 0)
		return 0;
	stop(c);
	return we_error_set(
		err, WE_E_UNSUPPORTED, 0, "%s is of another build than this program", path);
}

static int start(struct we_compiler *c, const char *program, struct we_error *err)
{
	char path[PATH_BYTES];
	int socks[2] = {-1, -1};
	int cause;
	int rc = find_program(program, path, err);

	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0)
		return we_error_set(
			err, WE_E_HOST, 0, "no connection to a compiler: %s", strerror(errno));
	socks[1] = above(socks[1]);
	c->sock = socks[0];
	c->err_fd = above(create_memfd("we-jit-stderr", MFD_CLOEXEC));
	cause = socks[1] < 0 || c->err_fd < 0 ? EMFILE : spawn(path, socks[1], c->err_fd, &c->pid);
	if (socks[1] >= 0)
		close(socks[1]);
	if (cause != 0) {
		c->pid = 0;
		stop(c);
		return we_error_set(
			err, WE_E_HOST, 0, "%s does not start: %s", path, strerror(cause));
	}
	c->n_starts++;
	c->pidfd = pidfd_open(c->pid, 0);
	return say_hello(c, path, err);
}

// Has the process ended since it was asked last?
static bool is_gone(const struct we_compiler *c)
{
	struct pollfd fd = {.fd = c->sock, .events = POLLRDHUP};

	return poll(&fd, 1, 0) > 0;
}

static void count_loss(struct we_compiler *c, uint32_t weight)
{
	uint64_t wait_ms = 0;

	c->n_lost += weight;
	if (c->n_lost >= MAX_LOST)
		wait_ms = REST_MS;
	else if (c->n_lost > 1)
		wait_ms = (uint64_t)BACKOFF_MS << (c->n_lost - 2);
	if (c->n_lost < MAX_LOST && wait_ms > BACKOFF_MAX_MS)
		wait_ms = BACKOFF_MAX_MS;
	c->not_before_ns = now_ns() + wait_ms * NS_PER_MS;
}

// Have a process that is ready.
static int ready(struct we_compiler *c, const char *program, struct we_error *err)
{
	int rc;

	if (c->is_stopped)
		return was_stopped(err);
	if (c->sock >= 0 && !is_gone(c))
		return 0;
	stop(c); // it may have been killed between two requests: no fault of any module
	if (c->n_lost >= MAX_LOST && now_ns() < c->not_before_ns)
		return we_error_set(err, WE_E_HOST, 0,
			"the compiler's process died too often in a row: it rests for %u s",
			REST_MS / 1000);
	sleep_until(c->not_before_ns);
	rc = start(c, program, err);
	if (rc == WE_E_HOST && !c->is_stopped)
		count_loss(c, START_WEIGHT);
	return rc;
}

// ---- asking it --------------------------------------------------------------------------------------

static bool send_request(const struct we_compiler *c, struct we_protocol_request *request,
	int module_fd, int image_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * WE_PROTOCOL_FDS)];
		struct cmsghdr align;
	} control = {0};
	const int fds[WE_PROTOCOL_FDS] = {
		[WE_PROTOCOL_MODULE] = module_fd, [WE_PROTOCOL_IMAGE] = image_fd};
	struct iovec iov = {request, sizeof(*request)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c_rights = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c_rights->cmsg_level = SOL_SOCKET;
	c_rights->cmsg_type = SCM_RIGHTS;
	c_rights->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c_rights), fds, sizeof(fds));
	do
		n = sendmsg(c->sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*request);
}

// A copy of the image: what is checked must be what is used. Returns: NULL when there are fewer bytes.
static void *read_image(int fd, uint64_t n)
{
	uint8_t *image = malloc(n);
	uint64_t done = 0;

	while (image != NULL && done < n) {
		const ssize_t got = pread(fd, image + done, n - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			free(image);
			return NULL;
		}
		done += (uint64_t)got;
	}
	return image;
}

static int ask(struct we_compiler *c, struct we_protocol_request *request, int module_fd,
	int image_fd, struct we_protocol_answer *ret_answer, void **ret_image, struct we_error *err)
{
	int cause = ECONNRESET;

	if (send_request(c, request, module_fd, image_fd))
		cause = receive(c, ret_answer, sizeof(*ret_answer),
			(uint64_t)request->wall_ms + request->wall_ms / 10 + GRACE_MS);
	if (cause == 0 &&
		(memcmp(ret_answer->magic, WE_PROTOCOL_ANSWER, sizeof(ret_answer->magic)) != 0 ||
			ret_answer->id != request->id))
		cause = EPROTO;
	if (cause == ECANCELED) {
		stop(c);
		return was_stopped(err);
	}
	if (cause != 0) {
		explain(c, "", cause, err);
		count_loss(c, 1);
		return WE_COMPILER_LOST;
	}
	c->n_lost = 0;
	c->not_before_ns = 0;
	ret_answer->text[sizeof(ret_answer->text) - 1] = '\0';
	*ret_image = NULL;
	// More than the limit, or than is there, is no image: the caller finds out.
	if (ret_answer->kind == WE_ANSWER_OK && ret_answer->image_bytes > 0 &&
		ret_answer->image_bytes <= request->image_bytes)
		*ret_image = read_image(image_fd, ret_answer->image_bytes);
	return 0;
}

int we_compiler_ask(struct we_compiler *c, const char *program, struct we_protocol_request *request,
	int module_fd, struct we_protocol_answer *ret_answer, void **ret_image,
	struct we_error *err)
{
	const int image_fd = create_memfd("we-jit-image", MFD_CLOEXEC);
	int rc;

	if (image_fd < 0)
		return we_error_set(err, WE_E_HOST, 0, "no memfd: %s", strerror(errno));
	memcpy(request->magic, WE_PROTOCOL_REQUEST, sizeof(request->magic));
	request->version = WE_PROTOCOL_VERSION;
	pthread_mutex_lock(&c->lock);
	request->id = ++c->id;
	rc = ready(c, program, err);
	if (rc == 0)
		rc = ask(c, request, module_fd, image_fd, ret_answer, ret_image, err);
	pthread_mutex_unlock(&c->lock);
	close(image_fd);
	return rc;
}

int we_compiler_llvm(
	struct we_compiler *c, const char *program, char ret_llvm[24], struct we_error *err)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = ready(c, program, err);
	if (rc == 0)
		memcpy(ret_llvm, c->hello.llvm, sizeof(c->hello.llvm));
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int we_compiler_share(struct we_bytes bytes)
{
	const int fd = create_memfd("we-jit-module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	while (fd >= 0 && done < bytes.len) {
		const ssize_t n = write(fd, bytes.data + done, bytes.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0 && fcntl(fd, F_ADD_SEALS,
			       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void we_compiler_init(struct we_compiler *c)
{
	*c = (struct we_compiler){.sock = -1, .pidfd = -1, .err_fd = -1};
	pthread_mutex_init(&c->lock, NULL);
}

void we_compiler_stop(struct we_compiler *c)
{
	c->is_stopped = true;
}

void we_compiler_fini(struct we_compiler *c)
{
	stop(c);
	pthread_mutex_destroy(&c->lock);
}
