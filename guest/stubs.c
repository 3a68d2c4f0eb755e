/* Functions of libcrypto and dbus that Debian's static libnvme refers to. They serve NVMe over
 * networks and out-of-band management, which this guest does not have; a null is their way to
 * say "failed". */
#define ABSENT(name) void *name(void) { return 0; }

ABSENT(EVP_MAC_CTX_free)
ABSENT(EVP_MAC_CTX_new)
ABSENT(EVP_MAC_fetch)
ABSENT(EVP_MAC_final)
ABSENT(EVP_MAC_free)
ABSENT(EVP_MAC_init)
ABSENT(EVP_MAC_update)
ABSENT(OSSL_LIB_CTX_free)
ABSENT(OSSL_LIB_CTX_new)
ABSENT(OSSL_PARAM_construct_end)
ABSENT(OSSL_PARAM_construct_utf8_string)

ABSENT(dbus_bus_get)
ABSENT(dbus_connection_send_with_reply_and_block)
ABSENT(dbus_connection_unref)
ABSENT(dbus_error_free)
ABSENT(dbus_error_init)
ABSENT(dbus_message_iter_get_arg_type)
ABSENT(dbus_message_iter_get_basic)
ABSENT(dbus_message_iter_get_element_type)
ABSENT(dbus_message_iter_get_fixed_array)
ABSENT(dbus_message_iter_init)
ABSENT(dbus_message_iter_next)
ABSENT(dbus_message_iter_recurse)
ABSENT(dbus_message_new_method_call)
ABSENT(dbus_message_unref)
