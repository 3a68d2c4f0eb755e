/* What nvme-cli's meson.build would find out for i386 Debian. */
#define CONFIG_JSONC_14
#define GIT_VERSION "2.3"
#define NVME_VERSION "2.3"
#define SYSCONFDIR "/etc"
#define DEFAULT_PDC_ENABLED 0
#define HAVE_BUILTIN_TYPES_COMPATIBLE_P 1
#define HAVE_TYPEOF 1
#define HAVE_BYTESWAP_H 1
#define HAVE_BSWAP_64 1
#define HAVE_LITTLE_ENDIAN 1
#define HAVE_BIG_ENDIAN 0
#define HAVE_ISBLANK 1
#define HAVE_SYS_RANDOM 1
