// SPDX-License-Identifier: BSD-3-Clause
// we_server: see server.h.
//
// Module path 3/6. Owns: the connection; during a request its descriptors, the child and the page that the two share.
// Thread: one.
#include "server.h"

#include "jit_build.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h> // snprintf
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	NICE = 5,               // poll cores come first, if the two ever share one
	OOM_SCORE = 800,        // and of the two, the kernel takes this one
	STACK_BYTES = 64 << 20, // the optimizer recurses
	STDERR_BYTES = 1 << 20, // that a child may write besides its image
	USUAL_BYTES = 1 << 30,  // more address space than this process has
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

// What a child tells its parent, in memory that both see.
struct report {
	bool is_done;
	int32_t rc; // 0: image_bytes are written
	uint64_t image_bytes;
	char text[WE_PROTOCOL_TEXT];
};

// A request under way.
struct job {
	struct we_protocol_request request;
	int fds[WE_PROTOCOL_FDS];
	int n_fds;
	int err_fd; // what the child writes to its standard error
	struct report *report;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static uint64_t timeval_us(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_usec;
}

// Address space that this process has, bytes, or more where there is no /proc.
static uint64_t address_space(void)
{
	char text[64];
	const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return USUAL_BYTES;
	text[n] = '\0';
	return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

// ---- the child ------------------------------------------------------------------------------------

static void limit(int resource, rlim_t n)
{
	const struct rlimit both = {n, n};

	setrlimit((__rlimit_resource_t)resource, &both);
}

static void limit_child(const struct we_protocol_request *request, uint64_t have_bytes)
{
	const struct itimerval timer = {
		.it_value = {request->cpu_ms / 1000, (suseconds_t)(request->cpu_ms % 1000 * 1000)}};
	const rlim_t cpu_s = request->cpu_ms / 1000 + 1;
	const struct rlimit cpu = {cpu_s, cpu_s + 1};

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 0);
	limit(RLIMIT_FSIZE, request->image_bytes + STDERR_BYTES);
	limit(RLIMIT_AS, have_bytes + request->module_bytes + request->memory_bytes);
	// The timer is exact, the limit is certain: a handler cannot put it off.
	setrlimit(RLIMIT_CPU, &cpu);
	setitimer(ITIMER_PROF, &timer, NULL);
}

static bool write_all(int fd, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		const ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes += done;
		n -= (size_t)done;
	}
	return true;
}

static int compile_job(const struct job *job, we_server_compile_fn compile, uint64_t *ret_bytes,
	struct we_error *err)
{
	const struct we_protocol_request *request = &job->request;
	void *image = NULL;
	size_t image_bytes = 0;
	const uint8_t *module = mmap(NULL, request->module_bytes, PROT_READ, MAP_PRIVATE,
		job->fds[WE_PROTOCOL_MODULE], 0);
	int rc;

	if (module == MAP_FAILED)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for the module");
	rc = compile(request, (struct we_bytes){module, request->module_bytes}, &image,
		&image_bytes, err);
	if (rc != 0)
		return rc;
	if (image_bytes > request->image_bytes)
		return we_error_set(err, WE_E_HOST, 0, "the image has %zu bytes, the limit is %llu",
			image_bytes, (unsigned long long)request->image_bytes);
	if (!write_all(job->fds[WE_PROTOCOL_IMAGE], image, image_bytes))
		return we_error_set(
			err, WE_E_HOST, 0, "cannot write the image: %s", strerror(errno));
	*ret_bytes = image_bytes;
	return 0;
}

static _Noreturn void run_child(const struct job *job, int sock, pid_t server, uint64_t have_bytes,
	we_server_compile_fn compile)
{
	struct we_error err = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != server)
		_exit(1);
	close(sock); // whoever waits for the server's end sees it when the server ends
	dup2(job->err_fd, STDERR_FILENO);
	limit_child(&job->request, have_bytes);
	job->report->rc = compile_job(job, compile, &job->report->image_bytes, &err);
	if (job->report->rc != 0)
		snprintf(job->report->text, sizeof(job->report->text), "%.*s",
			(int)sizeof(job->report->text) - 1, err.msg);
	job->report->is_done = true;
	_exit(0);
}

// ---- the parent -----------------------------------------------------------------------------------

enum ending {
	CHILD_ENDED,
	CHILD_LATE,
	CLIENT_GONE
};

// Wait for the child's end, the limit on the wall, or the client's end.
static enum ending watch(int sock, int pidfd, uint64_t deadline_us)
{
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = sock, .events = POLLRDHUP}};

	for (;;) {
		const uint64_t now = now_us();
		const uint64_t left_ms = now < deadline_us ? (deadline_us - now) / 1000 + 1 : 0;

		if (poll(fds, 2, left_ms > 60000 ? 60000 : (int)left_ms) < 0 && errno != EINTR)
			return CHILD_LATE;
		if (fds[0].revents != 0)
			return CHILD_ENDED;
		if (fds[1].revents != 0)
			return CLIENT_GONE;
		if (left_ms == 0)
			return CHILD_LATE;
	}
}

// What the child said: the first line of its standard error, which is where the cause is.
static void read_stderr(int fd, char *text, size_t cap)
{
	const ssize_t n = pread(fd, text, cap - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool speaks_of_memory(const char *text)
{
	return strcasestr(text, "out of memory") != NULL || strstr(text, "bad_alloc") != NULL ||
	       strstr(text, "Allocation failed") != NULL;
}

// How a child ended, in words.
static void judge(
	const struct job *job, int status, bool is_late, struct we_protocol_answer *answer)
{
	const struct report *report = job->report;
	const int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (!is_late && WIFEXITED(status) && WEXITSTATUS(status) == 0 && report->is_done) {
		memcpy(answer->text, report->text, sizeof(answer->text) - 1);
		answer->kind = report->rc == 0            ? WE_ANSWER_OK
			       : report->rc == WE_E_NOMEM ? WE_ANSWER_MEMORY
							  : WE_ANSWER_REFUSED;
		answer->code = report->rc;
		answer->image_bytes = report->rc == 0 ? report->image_bytes : 0;
		return;
	}
	read_stderr(job->err_fd, answer->text, sizeof(answer->text));
	answer->code = sig != 0 ? sig : WEXITSTATUS(status);
	if (is_late)
		answer->kind = WE_ANSWER_WALL;
	else if (sig == SIGPROF || sig == SIGXCPU)
		answer->kind = WE_ANSWER_CPU;
	else if (speaks_of_memory(answer->text))
		answer->kind = WE_ANSWER_MEMORY;
	else
		answer->kind = sig != 0 ? WE_ANSWER_KILLED : WE_ANSWER_EXITED;
}

static void be_unable(struct we_protocol_answer *answer, const char *text)
{
	answer->kind = WE_ANSWER_UNABLE;
	snprintf(answer->text, sizeof(answer->text), "%s", text);
}

static bool is_sound(const struct job *job, size_t n)
{
	const struct we_protocol_request *request = &job->request;
	struct stat st;
	int seals;

	if (n != sizeof(*request) || job->n_fds != WE_PROTOCOL_FDS ||
		memcmp(request->magic, WE_PROTOCOL_REQUEST, sizeof(request->magic)) != 0 ||
		request->version != WE_PROTOCOL_VERSION)
		return false;
	seals = fcntl(job->fds[WE_PROTOCOL_MODULE], F_GET_SEALS);
	return seals >= 0 && (seals & SEALS) == SEALS &&
	       fstat(job->fds[WE_PROTOCOL_MODULE], &st) == 0 &&
	       (uint64_t)st.st_size == request->module_bytes;
}

// Run a child for the request. Returns: whether the client is still there.
static bool run_job(
	struct job *job, int sock, we_server_compile_fn compile, struct we_protocol_answer *answer)
{
	const uint64_t begin_us = now_us();
	const uint64_t have_bytes = address_space();
	const pid_t server = getpid();
	const pid_t pid = fork();
	enum ending ending;
	struct rusage usage;
	int status = 0;
	int pidfd;

	if (pid == 0)
		run_child(job, sock, server, have_bytes, compile);
	if (pid < 0) {
		be_unable(answer, "it cannot fork");
		return true;
	}
	pidfd = pidfd_open(pid, 0);
	ending = pidfd < 0 ? CHILD_LATE
			   : watch(sock, pidfd, begin_us + job->request.wall_ms * UINT64_C(1000));
	if (ending != CHILD_ENDED)
		kill(pid, SIGKILL);
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	if (pidfd >= 0)
		close(pidfd);
	judge(job, status, ending == CHILD_LATE, answer);
	answer->cpu_us = timeval_us(usage.ru_utime) + timeval_us(usage.ru_stime);
	answer->wall_us = now_us() - begin_us;
	answer->resident_bytes = (uint64_t)usage.ru_maxrss * 1024;
	return ending != CLIENT_GONE;
}

static bool serve(struct job *job, int sock, size_t n, we_server_compile_fn compile)
{
	struct we_protocol_answer answer = {.id = job->request.id};
	bool has_client = true;

	memcpy(answer.magic, WE_PROTOCOL_ANSWER, sizeof(answer.magic));
	job->err_fd = memfd_create("we-jit-stderr", MFD_CLOEXEC);
	job->report = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!is_sound(job, n))
		be_unable(&answer, "this is no request");
	else if (job->err_fd < 0 || job->report == MAP_FAILED)
		be_unable(&answer, "no memory to begin");
	else
		has_client = run_job(job, sock, compile, &answer);
	if (job->report != MAP_FAILED)
		munmap(job->report, sizeof(struct report));
	if (job->err_fd >= 0)
		close(job->err_fd);
	return has_client &&
	       send(sock, &answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

// Returns: bytes of a request; 0 at the end of the connection.
static size_t receive(int sock, struct job *job)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * WE_PROTOCOL_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&job->request, sizeof(job->request)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	job->n_fds = 0;
	if (n <= 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		job->n_fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(job->fds, CMSG_DATA(c), sizeof(int) * (size_t)job->n_fds);
	}
	return (size_t)n;
}

// Give way to whoever shares the machine.
static void step_back(void)
{
	const struct sched_param zero = {0};
	char text[16];
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	struct rlimit stack;
	const int len = snprintf(text, sizeof(text), "%d", OOM_SCORE);

	if (fd >= 0) {
		(void)!write(fd, text, (size_t)len);
		close(fd);
	}
	sched_setscheduler(0, SCHED_BATCH, &zero);
	setpriority(PRIO_PROCESS, 0, NICE);
	if (getrlimit(RLIMIT_STACK, &stack) == 0) {
		stack.rlim_cur = stack.rlim_max < STACK_BYTES ? stack.rlim_max : STACK_BYTES;
		setrlimit(RLIMIT_STACK, &stack);
	}
	limit(RLIMIT_CORE, 0);
}

int we_server_run(int sock, const char *llvm, we_server_compile_fn compile)
{
	struct we_protocol_hello hello = {
		.version = WE_PROTOCOL_VERSION, .pid = (uint32_t)getpid(), .build = WE_JIT_BUILD};
	struct job job;
	size_t n;
	bool has_client;

	step_back();
	fcntl(sock, F_SETFD, FD_CLOEXEC);
	memcpy(hello.magic, WE_PROTOCOL_HELLO, sizeof(hello.magic));
	snprintf(hello.llvm, sizeof(hello.llvm), "%s", llvm);
	if (send(sock, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
		return 1;
	do {
		memset(&job, 0, sizeof(job));
		n = receive(sock, &job);
		has_client = n > 0 && serve(&job, sock, n, compile);
		for (int i = 0; i < job.n_fds; i++)
			close(job.fds[i]);
	} while (has_client);
	return 0;
}
