// A certificate and its key for the simulator alone, so that no seed has to make one: mail.crepes.fr and
// mail.hamburger.edu, EC P-256, signed by itself, valid from 2020 to 2120. Nobody trusts it.
#pragma once

static const char letter_cert_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcjCCARmgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5tYWlsLmNy\n"
    "ZXBlcy5mcjAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG\n"
    "A1UEAwwObWFpbC5jcmVwZXMuZnIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASc\n"
    "cdLelJySzuOarK9T3JJ34suYgPm80gf0sQKxyRtuAAdykLEpwYwVCmf+voKrGdgc\n"
    "rCA5QtwP+bF4GK7rAlVgo1AwTjAtBgNVHREEJjAkgg5tYWlsLmNyZXBlcy5mcoIS\n"
    "bWFpbC5oYW1idXJnZXIuZWR1MB0GA1UdDgQWBBQvT9GFnsspPIbMsP9FIVcMSGu9\n"
    "UzAKBggqhkjOPQQDAgNHADBEAiAulECkmGFOX0AISTcZ10ecfnvi++UzvTKg8WGM\n"
    "UctK2AIgQUajajR8kVRM0RWizgZ9+6zNAMeQ+U0xNbeQ/+nOFNk=\n"
    "-----END CERTIFICATE-----\n";

static const char letter_key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiWXeIQO8uM5IXZxh\n"
    "Gu+/K5WxvP34JpnolbeyXvTWZE+hRANCAASccdLelJySzuOarK9T3JJ34suYgPm8\n"
    "0gf0sQKxyRtuAAdykLEpwYwVCmf+voKrGdgcrCA5QtwP+bF4GK7rAlVg\n"
    "-----END PRIVATE KEY-----\n";
