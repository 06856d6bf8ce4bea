// A PKCS#11 module that is SoftHSM with faults, for the tests. The file "fault" beside it names the fault, one line,
// read at every call:
//
//   C_Xxx 0x30         the function fails with this code; "C_Login2" is the log-in for one operation alone
//   C_Xxx 0x30 2       so it does after two calls that went well
//   C_Xxx hang         the function does not return
//   C_Sign room | short | long | huge | rubbish | zero | other | high-s | der
//   C_GetTokenInfo flags 0x40000    these flags as well
//   C_GetFunctionList instances     each caller has an instance of its own, of which the first alone is initialised
//
// Compiled with -DSOFTHSM="…", the path of the module, and -DFAULT="…", the path of the file.

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv_t;
typedef rv_t (*function_t)(void *, void *, void *, void *, void *, void *);

enum { INITIALIZE = 0, GET_FUNCTION_LIST = 3, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12,
       CLOSE_SESSION = 13, GET_SESSION_INFO = 15, LOGIN = 18, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26,
       SIGN_INIT = 42, SIGN = 43, FUNCTIONS = 68 };

struct list { unsigned char version[2]; function_t functions[FUNCTIONS]; };

static struct list ours;
static const struct list *theirs;

static struct { char function[32], what[32]; unsigned long code, more; int has_code; } fault;
static unsigned long calls;

// Whether `function` has a fault now.
static int faulty(const char *function) {
    char line[128] = "", what[32] = "", more[32] = "";
    FILE *file = fopen(FAULT, "r");
    if (!file) return 0;
    if (!fgets(line, sizeof line, file)) line[0] = 0;
    fclose(file);
    fault.function[0] = 0;
    sscanf(line, "%31s %31s %31s", fault.function, what, more);
    if (strcmp(fault.function, function) != 0) return 0;
    memcpy(fault.what, what, sizeof what);
    char *end;
    fault.code = strtoul(what, &end, 0);
    fault.has_code = *end == 0;
    fault.more = strtoul(more, NULL, 0);
    if (strcmp(what, "hang") == 0) for (;;) pause();
    return 1;
}

// The code with which `function` fails now, or 0.
static rv_t failure(const char *function) {
    if (!faulty(function) || !fault.has_code || calls++ < fault.more) return 0;
    calls = 0;
    return fault.code;
}

#define WRAP(name, index)                                                                                             \
    static rv_t name(void *a, void *b, void *c, void *d, void *e, void *f) {                                          \
        rv_t code = failure(#name);                                                                                   \
        return code ? code : theirs->functions[index](a, b, c, d, e, f);                                              \
    }

WRAP(C_Initialize, INITIALIZE)
WRAP(C_GetSlotList, GET_SLOT_LIST)
WRAP(C_OpenSession, OPEN_SESSION)
WRAP(C_CloseSession, CLOSE_SESSION)
WRAP(C_GetSessionInfo, GET_SESSION_INFO)
WRAP(C_GetAttributeValue, GET_ATTRIBUTE_VALUE)
WRAP(C_FindObjectsInit, FIND_OBJECTS_INIT)
WRAP(C_SignInit, SIGN_INIT)

static rv_t C_Login(void *session, void *user, void *pin, void *length, void *e, void *f) {
    rv_t code = failure(user == (void *)2 ? "C_Login2" : "C_Login");
    return code ? code : theirs->functions[LOGIN](session, user, pin, length, e, f);
}

static rv_t C_GetTokenInfo(void *slot, void *info, void *c, void *d, void *e, void *f) {
    rv_t code = failure("C_GetTokenInfo");
    if (!code) code = theirs->functions[GET_TOKEN_INFO](slot, info, c, d, e, f);
    // The flags stand behind label, manufacturer, model and serial number.
    if (!code && faulty("C_GetTokenInfo")) *(unsigned long *)((char *)info + 96) |= fault.more;
    return code;
}

// n - s for s, if that is the higher of the two; n is the order of P-384.
static void make_high(unsigned char *s) {
    static const unsigned char order[48] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
        0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};
    if (s[0] & 0x80) return;
    for (int at = 47, borrow = 0; at >= 0; at--) {
        int digit = order[at] - s[at] - borrow;
        borrow = digit < 0;
        s[at] = (unsigned char)(digit + (borrow ? 256 : 0));
    }
}

// r ‖ s of 96 bytes as DER; gives its length.
static unsigned long to_der(unsigned char *bytes) {
    unsigned char der[128] = {0x30, 0};
    unsigned long length = 2;
    for (int half = 0; half < 2; half++) {
        unsigned char *number = bytes + 48 * half;
        int size = 48;
        while (size > 1 && !*number) number++, size--;
        int sign = *number >> 7;
        der[length++] = 0x02;
        der[length++] = (unsigned char)(size + sign);
        if (sign) der[length++] = 0;
        memcpy(der + length, number, size);
        length += size;
    }
    der[1] = (unsigned char)(length - 2);
    memcpy(bytes, der, length);
    return length;
}

static rv_t C_Sign(void *session, void *data, void *data_length, void *signature, void *length, void *f) {
    unsigned char changed[64] = {0};
    // Without a place for it, the caller asks how much room the signature needs: DER needs more than r and s.
    if (!signature) {
        rv_t asked = theirs->functions[SIGN](session, data, data_length, signature, length, f);
        if (!asked) *(unsigned long *)length += 16;
        if (!asked && faulty("C_Sign") && strcmp(fault.what, "room") == 0) *(unsigned long *)length = ~0UL;
        return asked;
    }
    rv_t code = failure("C_Sign");
    if (code) {
        // A C_Sign that fails ends the operation.
        unsigned char unseen[256];
        unsigned long size = sizeof unseen;
        theirs->functions[SIGN](session, data, data_length, unseen, &size, f);
        return code;
    }
    int wrong = faulty("C_Sign");
#define IS(name) (wrong && strcmp(fault.what, name) == 0)
    if (IS("other")) {
        memcpy(changed, data, (unsigned long)data_length);
        changed[0] ^= 1;
        data = changed;
    }
    code = theirs->functions[SIGN](session, data, data_length, signature, length, f);
    if (code || !wrong) return code;
    unsigned char *bytes = signature;
    unsigned long *size = length;
    if (IS("short")) *size -= 1;
    if (IS("long")) bytes[*size] = 7, *size += 1;
    if (IS("huge")) *size = ~0UL;
    if (IS("rubbish")) memset(bytes, 0x5a, *size);
    if (IS("zero")) memset(bytes, 0, *size);
    if (IS("high-s")) make_high(bytes + 48);
    if (IS("der")) *size = to_der(bytes);
    return 0;
}

static rv_t uninitialised(void *a, void *b, void *c, void *d, void *e, void *f) {
    return 0x190;
}

rv_t C_GetFunctionList(const void **list) {
    if (!theirs) {
        void *module = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
        if (!module) return 5;
        rv_t (*get)(const struct list **) = (rv_t (*)(const struct list **))dlsym(module, "C_GetFunctionList");
        if (!get || get(&theirs)) return 5;
        ours = *theirs;
        ours.functions[INITIALIZE] = C_Initialize;
        ours.functions[GET_FUNCTION_LIST] = (function_t)(void *)C_GetFunctionList;
        ours.functions[GET_SLOT_LIST] = C_GetSlotList;
        ours.functions[GET_TOKEN_INFO] = C_GetTokenInfo;
        ours.functions[OPEN_SESSION] = C_OpenSession;
        ours.functions[CLOSE_SESSION] = C_CloseSession;
        ours.functions[GET_SESSION_INFO] = C_GetSessionInfo;
        ours.functions[LOGIN] = C_Login;
        ours.functions[GET_ATTRIBUTE_VALUE] = C_GetAttributeValue;
        ours.functions[FIND_OBJECTS_INIT] = C_FindObjectsInit;
        ours.functions[SIGN_INIT] = C_SignInit;
        ours.functions[SIGN] = C_Sign;
    }
    *list = &ours;
    if (faulty("C_GetFunctionList")) {
        static int instances;
        struct list *own = malloc(sizeof *own);
        if (!own) return 2;
        *own = ours;
        if (instances++) own->functions[SIGN] = uninitialised;
        *list = own;
    }
    return 0;
}
