"""What somebody who took over the agent might try. Prints each attempt and "allowed", or the error it met."""
import ctypes
import errno
import mmap
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result in (-1, 2**64 - 1):
        raise OSError(ctypes.get_errno(), "")


def write(path):
    with open(path, "a"):
        pass


def read(path):
    with open(path) as file:
        file.read()


def writable_code():
    """Memory that is writable and executable at once."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def another_process():
    """The system's first process, seen by an ordinary user."""
    os.stat("/proc/1")


def connect(address):
    with socket.socket() as client:
        client.settimeout(2)
        client.connect(address)


ATTEMPTS = {
    "write_etc": lambda: write("/etc/passwd"),
    "write_own_program": lambda: write("/usr/bin/midst-agent"),
    "write_shared_folder": lambda: write("/var/shared/left-behind"),
    "read_home": lambda: read("/home/someone/diary"),
    "read_kernel_log": lambda: read("/dev/kmsg"),
    "see_other_processes": another_process,
    "raw_socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
    "packet_socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close(),
    "netlink_socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
    "mount": lambda: checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "user_namespace": lambda: checked(libc.unshare(0x10000000)),
    "writable_code": writable_code,
    "personality": lambda: checked(libc.personality(0x0040000)),
    "set_user_id_file": lambda: os.chmod(os.open("/run/midst-agent/tool", os.O_CREAT | os.O_WRONLY, 0o700), 0o4755),
    "realtime": lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
    "another_machine": lambda: connect(("10.99.99.99", 8080)),
}

for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        print(name, "allowed", flush=True)
    except OSError as error:
        print(name, "timeout" if isinstance(error, TimeoutError) else errno.errorcode.get(error.errno, str(error)), flush=True)
