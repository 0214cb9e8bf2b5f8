//! Frames as they stand on the line: what they are, where they come from, their octets.

/// Whole frames with their flags; some are bursts of several.
pub const FRAMES: &[(&str, &str, &str)] = &[
    ("SNRM carrying only 08 = 7", "computed", "7E A0 12 03 21 93 F9 AC 81 80 06 08 04 00 00 00 07 26 6D 7E"),
    (
        "UA carrying only 06 = 40 and 07 = 7",
        "computed",
        "7E A0 15 21 03 73 D6 BA 81 80 09 06 01 40 07 04 00 00 00 07 32 F2 7E",
    ),
    (
        "SNRM, all defaults, 1-octet lengths",
        "computed",
        "7E A0 1E 03 21 93 CD 3B 81 80 12 05 01 80 06 01 80 07 04 00 00 00 01 08 04 00 00 00 01 53 \
         3B 7E",
    ),
    (
        "SNRM, all defaults, 2-octet lengths",
        "computed",
        "7E A0 20 03 21 93 7D D9 81 80 14 05 02 00 80 06 02 00 80 07 04 00 00 00 01 08 04 00 00 00 \
         01 CE 6A 7E",
    ),
    (
        "SNRM, 2030 / 2030 / 7 / 7",
        "computed",
        "7E A0 20 03 21 93 7D D9 81 80 14 05 02 07 EE 06 02 07 EE 07 04 00 00 00 07 08 04 00 00 00 \
         07 4E E9 7E",
    ),
    (
        "UA 05=256, 06=64, 07=3, 08=1 (mixed)",
        "computed",
        "7E A0 1F 21 03 73 78 66 81 80 13 05 02 01 00 06 01 40 07 04 00 00 00 03 08 04 00 00 00 01 \
         B5 6C 7E",
    ),
    ("SNRM without parameters", "computed", "7E A0 07 03 21 93 0F 01 7E"),
    ("UA without parameters", "computed", "7E A0 07 21 03 73 01 40 7E"),
    (
        "SNRM, 4-octet address, no parameters",
        "meterkit/cosemlib: hdlc/hdlc.c",
        "7E A0 0A 00 02 00 23 F1 93 23 2E 7E",
    ),
    (
        "SNRM, 4-octet address, window rx 7",
        "meterkit/cosemlib: hdlc/hdlc.c",
        "7E A0 21 00 02 00 23 21 93 19 64 81 80 12 05 01 80 06 01 80 07 04 00 00 00 01 08 04 00 00 \
         00 07 65 5E 7E",
    ),
    (
        "UA Landis+Gyr E650: 05=128, 06=62",
        "xdom/jdlms: HdlcFrameTest, FcsCalcTest",
        "7E A0 1E 61 03 73 B5 7C 81 80 12 05 01 80 06 01 3E 07 04 00 00 00 01 08 04 00 00 00 01 07 \
         22 7E",
    ),
    (
        "UA Kamstrup: 116/116, 2-octet source",
        "xdom/jdlms: HdlcFrameTest, FcsCalcTest",
        "7E A0 21 23 02 01 73 7A 5B 81 80 14 05 02 00 74 06 02 00 74 07 04 00 00 00 01 08 04 00 00 \
         00 01 6A 0B 7E",
    ),
    (
        "UA Iskra: 126/126",
        "xdom/jdlms: HdlcFrameTest, FcsCalcTest",
        "7E A0 1F C9 02 23 73 B4 96 81 80 12 05 01 7E 06 01 7E 07 04 00 00 00 01 08 04 00 00 00 01 \
         5F 75 7E",
    ),
    (
        "UA, 4-octet source, 128/128 in 2 octets",
        "xdom/jdlms: HdlcFrameTest, FcsCalcTest",
        "7E A0 23 21 00 02 00 23 73 F6 C5 81 80 14 05 02 00 80 06 02 00 80 07 04 00 00 00 01 08 04 \
         00 00 00 01 CE 6A 7E",
    ),
    (
        "C: I(1,1)P GET",
        "computed",
        "7E A0 19 03 21 32 6F D8 E6 E6 00 C0 01 C1 00 08 00 00 01 00 00 FF 02 00 60 1A 7E",
    ),
    ("C: time-out, RR N(R)=1 P", "computed", "7E A0 07 03 21 31 17 87 7E"),
    (
        "s: response was lost: I(1,2)F again",
        "computed",
        "7E A0 1E 21 03 52 48 4A E6 E7 00 C4 01 C1 00 09 0C 07 E5 03 17 02 13 1A 3A FF 80 00 00 E1 \
         FA 7E",
    ),
    ("s: request was lost: RR N(R)=1 F", "computed", "7E A0 07 21 03 31 17 21 7E"),
    (
        "C: then repeat I(1,1)P",
        "computed",
        "7E A0 19 03 21 32 6F D8 E6 E6 00 C0 01 C1 00 08 00 00 01 00 00 FF 02 00 60 1A 7E",
    ),
    (
        "C: I(0,0)P S=1",
        "computed",
        "7E A8 29 03 21 10 AD CC E6 E6 00 60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 0E 01 00 \
         00 00 06 5F 1F 04 00 00 30 1D 87 3C 7E",
    ),
    ("s: RR 1 F", "computed", "7E A0 07 21 03 31 17 21 7E"),
    ("C: I(1,0)P S=0", "computed", "7E A0 0B 03 21 12 BA 03 FF FF 66 0C 7E"),
    (
        "C: GET I(1,1)P",
        "computed",
        "7E A0 19 03 21 32 6F D8 E6 E6 00 C0 01 C1 00 08 00 00 01 00 00 FF 02 00 60 1A 7E",
    ),
    (
        "s: I(1,2)F S=1",
        "computed",
        "7E A8 29 21 03 52 BB 0B E6 E7 00 C4 01 C1 00 09 3C 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D \
         4E 4F 50 51 52 53 54 55 56 57 AB C3 7E",
    ),
    ("C: RR 2 P", "computed", "7E A0 07 03 21 51 11 E4 7E"),
    (
        "s: I(2,2)F S=1",
        "computed",
        "7E A8 29 21 03 54 8D 6E 58 59 5A 5B 5C 5D 5E 5F 60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D \
         6E 6F 70 71 72 73 74 75 76 77 1E E7 7E",
    ),
    ("C: RR 3 P", "computed", "7E A0 07 03 21 71 13 C5 7E"),
    ("s: I(3,2)F S=0", "computed", "7E A0 0E 21 03 56 CD CF 78 79 7A 7B 7C A0 3E 7E"),
    (
        "s: same, window 3, shared flags (one burst: I(1,2) I(2,2) I(3,2)F)",
        "computed",
        "7E A8 29 21 03 42 3A 1B E6 E7 00 C4 01 C1 00 09 3C 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D \
         4E 4F 50 51 52 53 54 55 56 57 AB C3 7E A8 29 21 03 44 0C 7E 58 59 5A 5B 5C 5D 5E 5F 60 61 \
         62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F 70 71 72 73 74 75 76 77 1E E7 7E A0 0E 21 03 56 \
         CD CF 78 79 7A 7B 7C A0 3E 7E",
    ),
    (
        "EventNotification in UI, F=0, LD 1 to client 1",
        "computed",
        "7E A0 19 03 03 03 E6 E8 E6 E7 00 C2 00 00 01 00 00 60 0B 00 FF 02 11 07 73 75 7E",
    ),
    (
        "same with F=1 (reply to the empty poll)",
        "computed",
        "7E A0 19 03 03 13 67 F8 E6 E7 00 C2 00 00 01 00 00 60 0B 00 FF 02 11 07 73 75 7E",
    ),
    ("empty UI poll from client 1 to LD 1", "computed", "7E A0 07 03 03 13 84 95 7E"),
    (
        "broadcast clock SET in UI (dst FF, P=0)",
        "computed",
        "7E A0 27 FF 21 03 42 33 E6 E6 00 C1 01 01 00 08 00 00 01 00 00 FF 02 00 09 0C 07 E5 03 17 \
         02 13 1A 3A FF 80 00 00 D0 8A 7E",
    ),
    ("client sends undefined control FF", "computed", "7E A0 07 03 21 FF 65 A8 7E"),
    ("FRMR, W", "computed", "7E A0 0C 21 03 97 3E 21 FF 00 01 0D 18 7E"),
    ("FRMR without information", "computed", "7E A0 07 21 03 97 2B E1 7E"),
    ("client sends RR N(R)=1 right after SNRM", "computed", "7E A0 07 03 21 31 17 87 7E"),
    ("FRMR, Z", "computed", "7E A0 0C 21 03 97 3E 21 31 00 08 4D 9F 7E"),
    ("DISC P", "computed", "7E A0 07 03 21 53 03 C7 7E"),
    ("UA F (was connected)", "computed", "7E A0 07 21 03 73 01 40 7E"),
    ("DM F (was not)", "computed", "7E A0 07 21 03 1F 6B E9 7E"),
    ("C: DISC P", "computed", "7E A0 07 03 21 53 03 C7 7E"),
    ("s: DM F", "computed", "7E A0 07 21 03 1F 6B E9 7E"),
    ("C: SNRM P", "computed", "7E A0 07 03 21 93 0F 01 7E"),
    ("s: UA F", "computed", "7E A0 07 21 03 73 01 40 7E"),
    (
        "C: I(0,0)P AARQ",
        "computed",
        "7E A0 2B 03 21 10 FB AF E6 E6 00 60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 0E 01 00 \
         00 00 06 5F 1F 04 00 00 30 1D FF FF D4 C5 7E",
    ),
    (
        "s: I(0,1)F AARE",
        "computed",
        "7E A0 37 21 03 30 6C 7C E6 E7 00 61 29 A1 09 06 07 60 85 74 05 08 01 01 A2 03 02 01 00 A3 \
         05 A1 03 02 01 00 BE 10 04 0E 08 00 06 5F 1F 04 00 00 30 1D 19 00 00 07 0C 52 7E",
    ),
    (
        "C: I(1,1)P GET clock",
        "computed",
        "7E A0 19 03 21 32 6F D8 E6 E6 00 C0 01 C1 00 08 00 00 01 00 00 FF 02 00 60 1A 7E",
    ),
    (
        "s: I(1,2)F",
        "computed",
        "7E A0 1E 21 03 52 48 4A E6 E7 00 C4 01 C1 00 09 0C 07 E5 03 17 02 13 1A 3A FF 80 00 00 E1 \
         FA 7E",
    ),
    ("C: RR 2 P (optional poll)", "computed", "7E A0 07 03 21 51 11 E4 7E"),
    ("s: RR 2 F", "computed", "7E A0 07 21 03 51 11 42 7E"),
    ("s: or busy: RNR 2 F", "computed", "7E A0 07 21 03 55 35 04 7E"),
    ("C: DISC P", "computed", "7E A0 07 03 21 53 03 C7 7E"),
    ("s: UA F", "computed", "7E A0 07 21 03 73 01 40 7E"),
    (
        "C: I(1,0)P",
        "computed",
        "7E A0 2B 03 21 12 E9 8C E6 E6 00 60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 0E 01 00 \
         00 00 06 5F 1F 04 00 00 30 1D FF FF D4 C5 7E",
    ),
    ("s: RR 0 F", "computed", "7E A0 07 21 03 11 15 00 7E"),
    ("2-octet server 01/11, client 10", "computed", "7E A0 08 02 23 21 93 BD 64 7E"),
    ("its UA", "computed", "7E A0 08 21 02 23 73 7A 43 7E"),
    ("4-octet server 0001/0011", "computed", "7E A0 0A 00 02 00 23 21 93 18 71 7E"),
    ("its UA", "computed", "7E A0 0A 21 00 02 00 23 73 4C E7 7E"),
    ("4-octet server 0001/1234", "computed", "7E A0 0A 00 02 48 69 21 93 7B F7 7E"),
    ("its UA", "computed", "7E A0 0A 21 00 02 48 69 73 EE 9C 7E"),
    ("CALLING: client 01 to 01/7E", "computed", "7E A0 08 02 FD 03 93 2A EB 7E"),
    ("UA from the real address 01/11", "computed", "7E A0 08 03 02 23 73 5F F5 7E"),
    (
        "AARQ",
        "xdom/jdlms: HdlcFrameTest, FcsCalcTest",
        "7E A0 2E 00 02 00 23 21 10 7E CB E6 E6 00 60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 \
         0E 01 00 00 00 06 5F 1F 04 00 00 30 1D FF FF D4 C5 7E",
    ),
    (
        "AARE",
        "xdom/jdlms: HdlcFrameTest, FcsCalcTest",
        "7E A0 3A 21 00 02 00 23 30 99 41 E6 E7 00 61 29 A1 09 06 07 60 85 74 05 08 01 01 A2 03 02 \
         01 00 A3 05 A1 03 02 01 00 BE 10 04 0E 08 00 06 5F 1F 04 00 00 30 1D 19 00 00 07 0C 52 7E",
    ),
    ("RR N(R)=2 P/F", "xdom/jdlms: HdlcFrameTest, FcsCalcTest", "7E A0 0A 00 22 54 D3 61 51 3F 99 7E"),
    ("C: SNRM P", "bearxiong99/wireshark-dlms: sample.pcap", "7E A0 07 03 03 93 8C 11 7E"),
    (
        "s: UA, all parameters",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A0 1E 03 03 73 40 CC 81 80 12 05 01 80 06 01 80 07 04 00 00 00 01 08 04 00 00 00 01 53 \
         3B 7E",
    ),
    (
        "s: I(0,1)F AARE",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A0 37 03 03 30 EF CA E6 E7 00 61 29 A1 09 06 07 60 85 74 05 08 01 01 A2 03 02 01 00 A3 \
         05 A1 03 02 01 00 BE 10 04 0E 08 00 06 5F 1F 04 00 00 18 1D 00 7D 00 07 51 B3 7E",
    ),
    (
        "C: I(5,5)P GET profile attr 3",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A0 19 03 03 BA AC C0 E6 E6 00 C0 01 C1 00 07 00 00 62 01 01 FF 03 00 A3 09 7E",
    ),
    (
        "s: I(5,6)F S=1",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A8 89 03 03 DA 45 17 E6 E7 00 C4 02 C1 00 00 00 00 01 00 81 80 01 3C 02 04 12 00 08 09 \
         06 00 00 01 00 00 FF 0F 02 12 00 00 02 04 12 00 03 09 06 01 00 01 08 00 FF 0F 02 12 00 00 \
         02 04 12 00 03 09 06 01 00 01 08 01 FF 0F 02 12 00 00 02 04 12 00 03 09 06 01 00 01 08 02 \
         FF 0F 02 12 00 00 02 04 12 00 03 09 06 01 00 01 08 03 FF 0F 02 12 00 00 02 04 12 00 03 09 \
         06 01 00 01 08 04 FF 0F 02 12 00 00 02 04 12 00 9D 2B 7E",
    ),
    ("C: RR 6 P", "bearxiong99/wireshark-dlms: sample.pcap", "7E A0 07 03 03 D1 9A 70 7E"),
    (
        "s: I(6,6)F S=0, no LLC",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A0 17 03 03 DC DE 68 03 09 06 01 00 01 08 05 FF 0F 02 12 00 00 61 58 7E",
    ),
    (
        "C: I(6,7)P GET next block",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A0 13 03 03 FC 30 3B E6 E6 00 C0 02 C1 00 00 00 01 51 BE 7E",
    ),
    (
        "s: I(7,7)F S=1",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A8 89 03 03 FE 63 70 E6 E7 00 C4 02 C1 00 00 00 00 02 00 7E 02 04 12 00 03 09 06 01 00 \
         01 08 06 FF 0F 02 12 00 00 02 04 12 00 03 09 06 01 00 01 08 0A FF 0F 02 12 00 00 02 04 12 \
         00 03 09 06 01 00 02 08 00 FF 0F 02 12 00 00 02 04 12 00 03 09 06 01 00 02 08 01 FF 0F 02 \
         12 00 00 02 04 12 00 03 09 06 01 00 02 08 02 FF 0F 02 12 00 00 02 04 12 00 03 09 06 01 00 \
         02 08 03 FF 0F 02 12 00 00 02 04 12 00 03 09 06 B3 B2 7E",
    ),
    (
        "C: RR 0 P (N(R) wraps 7 to 0)",
        "bearxiong99/wireshark-dlms: sample.pcap",
        "7E A0 07 03 03 11 96 B6 7E",
    ),
    ("C: DISC P", "bearxiong99/wireshark-dlms: sample.pcap", "7E A0 07 03 03 53 80 D7 7E"),
    (
        "Kaifa Norway, I frame used as push",
        "UtilitechAS/amsreader-firmware: frames/",
        "7E A0 27 01 02 01 10 5A 87 E6 E7 00 0F 40 00 00 00 09 0C 07 E5 03 17 02 13 1A 3A FF 80 00 \
         00 02 01 06 00 00 0B F3 5B 05 7E",
    ),
];

/// Headers from the frame format to the header check sequence; the rest of the frame is not kept.
pub const HEADERS: &[(&str, &str, &str)] = &[
    (
        "L+G E450, first UI  (then E6 E7 00 E0 40 00 01 ..)",
        "esphome-libs/dlms_parser: tests/dumps/",
        "A0 8B CE FF 03 13 EE E1",
    ),
    (
        "L+G E450, third UI  (then E0 C0 00 03 .., no LLC)",
        "esphome-libs/dlms_parser: tests/dumps/",
        "A0 30 CE FF 03 13 86 F8",
    ),
    ("Kamstrup Omnipower, L = 1E9", "esphome-libs/dlms_parser: tests/dumps/", "A1 E9 41 03 13 C6 37"),
    ("Aidon 3-phase, L = 243", "esphome-libs/dlms_parser: tests/dumps/", "A2 43 41 08 83 13 85 EB"),
    ("Kamstrup single phase, L = 0BA", "UtilitechAS/amsreader-firmware: frames/", "A0 BA 2B 21 13 ED AA"),
];
