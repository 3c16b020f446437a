"""libmidst-push as ctypes sees it: the functions of midst_push.h and nothing more."""
import ctypes
import os
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint8, c_void_p

ABI = 1
Problem = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_char_p)


class Stats(ctypes.Structure):
    _fields_ = [(name, c_int64) for name in ("flushes", "skipped_flushes", "reconnects", "send_errors", "bytes_sent",
                                             "rejected_series", "overflowed_series", "is_connected")]


TEXTS, BYTES = POINTER(c_char_p), POINTER(c_uint8)
FUNCTIONS = {
    "midst_push_abi": (c_int64,),
    "midst_push_open": (c_void_p, c_char_p, c_char_p, c_int64, c_int64, Problem, c_void_p),
    "midst_push_close": (None, c_void_p),
    "midst_push_flush": (c_int, c_void_p, c_int64),
    "midst_push_deliver_at_signal": (c_int, c_int),
    "midst_push_counter": (c_void_p, c_void_p, c_char_p, c_char_p, TEXTS, c_int64),
    "midst_push_gauge": (c_void_p, c_void_p, c_char_p, c_char_p, TEXTS, c_int64, c_int),
    "midst_push_histogram": (c_void_p, c_void_p, c_char_p, c_char_p, TEXTS, c_int64, POINTER(c_double), c_int64),
    "midst_push_series_of": (c_void_p, c_void_p, TEXTS, c_int64),
    "midst_push_observe_many": (None, c_void_p, POINTER(c_double), c_int64),
    "midst_push_remove": (None, c_void_p, TEXTS, c_int64),
    "midst_push_get_stats": (None, c_void_p, POINTER(Stats), c_size_t),
}
# These take no lock that is held for long, so that giving the interpreter's lock away would cost more than the call.
QUICK = {
    "midst_push_inc": (None, c_void_p),
    "midst_push_add": (None, c_void_p, c_double),
    "midst_push_set": (None, c_void_p, c_double),
    "midst_push_observe": (None, c_void_p, c_double),
    "midst_push_add_exemplar": (None, c_void_p, c_double, c_char_p, c_char_p),
    "midst_push_observe_exemplar": (None, c_void_p, c_double, c_char_p, c_char_p),
}


class Library:
    """The functions of the header without their prefix: library.open(…)."""

    def __init__(self, path: str) -> None:
        for library, functions in ((ctypes.CDLL(path), FUNCTIONS), (ctypes.PyDLL(path), QUICK)):
            for name, (result, *arguments) in functions.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name.removeprefix("midst_push_"), function)
        found = self.abi()
        if found < ABI:
            raise ImportError(f"{path} is older than this package: ABI {found}, {ABI} is needed")


library = Library(os.environ.get("MIDST_PUSH_LIBRARY", "libmidst-push.so.0"))


def texts(values):
    """A C array of strings and its length. A null byte would end a string early, so it is replaced."""
    encoded = [str(value).replace("\0", "\ufffd").encode("utf-8", "replace") for value in values]
    return (c_char_p * len(encoded))(*encoded), len(encoded)


def doubles(values):
    found = [float(value) for value in values]
    return (c_double * len(found))(*found), len(found)
