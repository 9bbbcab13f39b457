//! Files of each format, made here.

use flate2::{
    Compression, Crc,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use std::io::Write;

/// What stands in the innermost file.
pub(crate) const MARKER: &[u8] = b"MAILWARD-MARKER harmless\r\n";

/// A member of a ZIP archive to be.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The name before its content, if it is to be another.
    pub(crate) local_name: Option<String>,
    pub(crate) content: Vec<u8>,
    pub(crate) deflate: bool,
    /// Whether sizes stand behind the content alone.
    pub(crate) streamed: bool,
    /// Whether the directory names it.
    pub(crate) listed: bool,
}

pub(crate) fn member(name: &str, content: &[u8]) -> Member {
    Member {
        name: name.into(),
        local_name: None,
        content: content.into(),
        deflate: true,
        streamed: false,
        listed: true,
    }
}

pub(crate) fn crc(content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(content);
    crc.sum()
}

pub(crate) fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// The members behind each other, and the directory for them.
fn zip_parts(members: &[Member]) -> (Vec<u8>, Vec<u8>, u16) {
    let (mut file, mut directory, mut count) = (Vec::new(), Vec::new(), 0);
    for member in members {
        let offset = file.len() as u32;
        let packed = if member.deflate { deflated(&member.content) } else { member.content.clone() };
        let method: u16 = if member.deflate { 8 } else { 0 };
        let flags: u16 = if member.streamed { 8 } else { 0 };
        let numbers = [crc(&member.content), packed.len() as u32, member.content.len() as u32];
        let local_name = member.local_name.as_ref().unwrap_or(&member.name);
        file.extend(b"PK\x03\x04\x14\x00");
        [flags, method, 0, 0].iter().for_each(|n| file.extend(n.to_le_bytes()));
        numbers.iter().for_each(|n| file.extend(if member.streamed { 0_u32 } else { *n }.to_le_bytes()));
        file.extend((local_name.len() as u16).to_le_bytes());
        file.extend([0; 2]);
        file.extend(local_name.bytes());
        file.extend(&packed);
        if member.streamed {
            file.extend(b"PK\x07\x08");
            numbers.iter().for_each(|n| file.extend(n.to_le_bytes()));
        }
        if !member.listed {
            continue;
        }
        count += 1;
        directory.extend(b"PK\x01\x02\x14\x00\x14\x00");
        [flags, method, 0, 0].iter().for_each(|n| directory.extend(n.to_le_bytes()));
        numbers.iter().for_each(|n| directory.extend(n.to_le_bytes()));
        directory.extend((member.name.len() as u16).to_le_bytes());
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(member.name.bytes());
    }
    (file, directory, count)
}

fn zip_end(count: u16, directory: usize, start: usize) -> Vec<u8> {
    let mut end = b"PK\x05\x06\x00\x00\x00\x00".to_vec();
    end.extend(count.to_le_bytes());
    end.extend(count.to_le_bytes());
    end.extend((directory as u32).to_le_bytes());
    end.extend((start as u32).to_le_bytes());
    end.extend([0; 2]);
    end
}

pub(crate) fn zip_of(members: &[Member]) -> Vec<u8> {
    let (mut file, directory, count) = zip_parts(members);
    let start = file.len();
    file.extend(&directory);
    file.extend(zip_end(count, directory.len(), start));
    file
}

/// The same without a directory.
pub(crate) fn zip_without_directory(members: &[Member]) -> Vec<u8> {
    zip_parts(members).0
}

/// The same whose directory tells sizes and places in the fields of ZIP64 alone.
pub(crate) fn zip64(name: &str, content: &[u8]) -> Vec<u8> {
    let (mut file, _, _) = zip_parts(&[Member { deflate: false, ..member(name, content) }]);
    let start = file.len();
    let mut directory = b"PK\x01\x02\x2d\x00\x2d\x00".to_vec();
    directory.extend([0; 8]);
    directory.extend(crc(content).to_le_bytes());
    directory.extend([0xff; 8]);
    directory.extend((name.len() as u16).to_le_bytes());
    directory.extend(28_u16.to_le_bytes());
    directory.extend([0; 10]);
    directory.extend([0xff; 4]);
    directory.extend(name.bytes());
    directory.extend([1, 0, 24, 0]);
    for number in [content.len() as u64, content.len() as u64, 0] {
        directory.extend(number.to_le_bytes());
    }
    file.extend(&directory);
    let record = file.len();
    file.extend(b"PK\x06\x06");
    file.extend(44_u64.to_le_bytes());
    file.extend([0; 12]);
    for number in [1, 1, directory.len() as u64, start as u64] {
        file.extend(number.to_le_bytes());
    }
    file.extend(b"PK\x06\x07\x00\x00\x00\x00");
    file.extend((record as u64).to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend(b"PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00");
    file
}

pub(crate) fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    zip_of(&[member(name, content)])
}

pub(crate) fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut file = tar_header(name, content.len(), b'0');
    file.extend(content);
    file.resize(file.len().next_multiple_of(512) + 1_024, 0);
    file
}

pub(crate) fn tar_header(name: &str, size: usize, kind: u8) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

pub(crate) fn base64(content: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in content.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
        for i in 0..4 {
            out.push(if i <= group.len() { DIGITS[(bits >> (18 - 6 * i)) as usize & 63] as char } else { '=' });
        }
    }
    out
}

/// Base64 in lines, as mail has it.
fn base64_lines(content: &[u8]) -> String {
    content.chunks(57).map(|line| base64(line) + "\r\n").collect()
}

pub(crate) fn mail(name: &str, content: &[u8]) -> Vec<u8> {
    format!(
        "From: a@x.test\r\nTo: b@x.test\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n{}\r\n--b--\r\n",
        base64_lines(content)
    )
    .into_bytes()
}

pub(crate) fn uuencode(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("Some words.\r\nbegin 644 {name}\r\n").into_bytes();
    let letter = |value: u32| if value == 0 { b'`' } else { value as u8 + b' ' };
    for line in content.chunks(45) {
        out.push(letter(line.len() as u32));
        for group in line.chunks(3) {
            let bits = group.iter().enumerate().fold(0_u32, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
            (0..4).for_each(|i| out.push(letter(bits >> (18 - 6 * i) & 63)));
        }
        out.extend(b"\r\n");
    }
    out.extend(b"`\r\nend\r\n");
    out
}

pub(crate) fn yenc(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("=ybegin line=128 size={} name={name}\r\n", content.len()).into_bytes();
    for line in content.chunks(100) {
        for byte in line {
            let coded = byte.wrapping_add(42);
            match coded {
                0 | b'\n' | b'\r' | b'=' => out.extend([b'=', coded.wrapping_add(64)]),
                _ => out.push(coded),
            }
        }
        out.extend(b"\r\n");
    }
    out.extend(format!("=yend size={}\r\n", content.len()).bytes());
    out
}

pub(crate) fn tnef(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = b"\x78\x9f\x3e\x22\x01\x00".to_vec();
    let mut attribute = |id: u32, data: &[u8]| {
        out.push(2);
        out.extend(id.to_le_bytes());
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
        out.extend(data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte))).to_le_bytes());
    };
    attribute(0x0006_9002, &[0; 14]);
    attribute(0x0001_8010, b"SHORT~1.TXT\0");
    attribute(0x0006_800f, content);
    let wide: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let mut properties = 1_u32.to_le_bytes().to_vec();
    properties.extend([0x1f, 0, 0x07, 0x37]);
    properties.extend(1_u32.to_le_bytes());
    properties.extend((wide.len() as u32).to_le_bytes());
    properties.extend(&wide);
    attribute(0x0006_9005, &properties);
    out
}

pub(crate) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A compound file of these streams, all in the root; small ones in the small stream.
pub(crate) fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    const SECTOR: usize = 512;
    const END: u32 = 0xffff_fffe;
    let (mut body, mut table): (Vec<u8>, Vec<u32>) = (Vec::new(), Vec::new());
    let (mut small, mut small_table): (Vec<u8>, Vec<u32>) = (Vec::new(), Vec::new());
    let add = |body: &mut Vec<u8>, table: &mut Vec<u32>, data: &[u8], sector: usize| {
        let start = table.len() as u32;
        let sectors = data.len().div_ceil(sector).max(1) as u32;
        (1..sectors).for_each(|n| table.push(start + n));
        table.push(END);
        body.extend(data);
        body.resize(table.len() * sector, 0);
        start
    };
    let mut entries = Vec::new();
    for (name, data) in streams {
        let start = match data.len() < 4_096 {
            true => add(&mut small, &mut small_table, data, 64),
            false => add(&mut body, &mut table, data, SECTOR),
        };
        entries.push((*name, 2_u8, start, data.len()));
    }
    let root = add(&mut body, &mut table, &small, SECTOR);
    entries.insert(0, ("Root Entry", 5, root, small.len()));
    let mut directory = Vec::new();
    for (index, (name, kind, start, size)) in entries.iter().enumerate() {
        let mut entry = vec![0; 128];
        let name = wide(name);
        entry[..name.len()].copy_from_slice(&name);
        entry[64..66].copy_from_slice(&(name.len() as u16 + 2).to_le_bytes());
        entry[66] = *kind;
        let next = if index > 0 && index + 1 < entries.len() { index as u32 + 1 } else { u32::MAX };
        let child = if index == 0 && entries.len() > 1 { 1 } else { u32::MAX };
        entry[68..72].copy_from_slice(&u32::MAX.to_le_bytes());
        entry[72..76].copy_from_slice(&next.to_le_bytes());
        entry[76..80].copy_from_slice(&child.to_le_bytes());
        entry[116..120].copy_from_slice(&start.to_le_bytes());
        entry[120..124].copy_from_slice(&(*size as u32).to_le_bytes());
        directory.extend(entry);
    }
    let directory_start = add(&mut body, &mut table, &directory, SECTOR);
    let numbers: Vec<u8> = small_table.iter().flat_map(|n| n.to_le_bytes()).collect();
    let small_start = add(&mut body, &mut table, &numbers, SECTOR);
    // The table tells of its own sectors too.
    let table_start = table.len() as u32;
    let table_sectors = (table.len() + 16).div_ceil(128);
    (0..table_sectors).for_each(|_| table.push(0xffff_fffd));
    let mut numbers: Vec<u8> = table.iter().flat_map(|n| n.to_le_bytes()).collect();
    numbers.resize(table_sectors * SECTOR, 0xff);
    body.extend(numbers);
    let mut file = vec![0; SECTOR];
    file[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    file[24..34].copy_from_slice(&[0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    file[44..48].copy_from_slice(&(table_sectors as u32).to_le_bytes());
    file[48..52].copy_from_slice(&directory_start.to_le_bytes());
    file[56..60].copy_from_slice(&4_096_u32.to_le_bytes());
    file[60..64].copy_from_slice(&small_start.to_le_bytes());
    file[64..68].copy_from_slice(&1_u32.to_le_bytes());
    file[68..72].copy_from_slice(&END.to_le_bytes());
    file[76..512].fill(0xff);
    (0..table_sectors as u32).for_each(|n| {
        let at = 76 + 4 * n as usize;
        file[at..at + 4].copy_from_slice(&(table_start + n).to_le_bytes());
    });
    file.extend(body);
    file
}

/// The packager's structure around a file, as in the stream `\1Ole10Native`.
pub(crate) fn packager(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend(name.bytes().chain([0]));
    out.extend(format!("C:\\Users\\x\\{name}\0").bytes());
    out.extend([0, 0, 3, 0]);
    let path = format!("C:\\Temp\\{name}\0");
    out.extend((path.len() as u32).to_le_bytes());
    out.extend(path.bytes());
    out.extend((content.len() as u32).to_le_bytes());
    out.extend(content);
    out
}

pub(crate) fn native(name: &str, content: &[u8]) -> Vec<u8> {
    let packager = packager(name, content);
    let mut out = (packager.len() as u32).to_le_bytes().to_vec();
    out.extend(packager);
    out
}

/// A module's source as MS-OVBA packs it, with letters only and one copy.
pub(crate) fn packed_source(source: &str) -> Vec<u8> {
    let mut out = vec![1];
    for part in source.as_bytes().chunks(3_000) {
        let mut chunk = Vec::new();
        for letters in part.chunks(8) {
            chunk.push(0);
            chunk.extend(letters);
        }
        // At the end of a text of over 16 letters: a copy of the three letters before.
        if part.len() > 16 {
            let bits = (usize::BITS - (part.len() - 1).leading_zeros()).max(4);
            let place = if part.len() % 8 == 0 {
                chunk.push(1);
                chunk.len()
            } else {
                let last = chunk.len() - part.len() % 8 - 1;
                chunk[last] = 1 << (part.len() % 8);
                chunk.len()
            };
            let token = (2_u16) << (16 - bits);
            chunk.splice(place..place, token.to_le_bytes());
        }
        out.extend((0xb000 | (chunk.len() as u16 - 1)).to_le_bytes());
        out.extend(chunk);
    }
    out
}

/// A macro project with one module.
pub(crate) fn project(source: &str) -> Vec<u8> {
    let source = format!("Attribute VB_Name = \"Module1\"\r\n{source}");
    let module = [vec![0x55; 40], packed_source(&source)].concat();
    compound(&[("_VBA_PROJECT", b"\xcc\x61\xff\xff\x00\x00\x00"), ("Module1", &module)])
}

/// An Office document of these parts.
pub(crate) fn ooxml(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut members = vec![member("[Content_Types].xml", b"<?xml version=\"1.0\"?><Types/>")];
    members.extend(parts.iter().map(|(name, content)| member(name, content)));
    zip_of(&members)
}

pub(crate) fn hex(content: &[u8]) -> String {
    content.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rich text with an object; `tear` puts something between the digits.
pub(crate) fn rtf(class: &str, native: &[u8], tear: impl Fn(usize) -> &'static str) -> Vec<u8> {
    let mut object = vec![1, 5, 0, 0, 2, 0, 0, 0];
    object.extend((class.len() as u32 + 1).to_le_bytes());
    object.extend(class.bytes().chain([0]));
    object.extend([0; 8]);
    object.extend((native.len() as u32).to_le_bytes());
    object.extend(native);
    let digits: String = hex(&object).chars().enumerate().map(|(at, digit)| format!("{digit}{}", tear(at))).collect();
    format!("{{\\rtf1{{\\object\\objemb{{\\*\\objclass {class}}}{{\\*\\objdata {digits}}}}}}}").into_bytes()
}

pub(crate) fn onenote(content: &[u8]) -> Vec<u8> {
    let mut out = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3".to_vec();
    out.extend([7; 300]);
    out.extend(b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac");
    out.extend((content.len() as u64).to_le_bytes());
    out.extend([0; 12]);
    out.extend(content);
    out.extend([9; 50]);
    out
}

pub(crate) fn shortcut(target: &str, arguments: &str) -> Vec<u8> {
    let mut out = b"L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46".to_vec();
    out.extend((8_u32 | 32 | 128).to_le_bytes());
    out.resize(76, 0);
    for word in [target, arguments] {
        out.extend((word.encode_utf16().count() as u16).to_le_bytes());
        out.extend(wide(word));
    }
    out
}

/// A PDF of these objects, the first is number 1.
pub(crate) fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    for (index, object) in objects.iter().enumerate() {
        out.extend(format!("{} 0 obj\n", index + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    out.extend(b"trailer << /Root 1 0 R >>\n%%EOF\n");
    out
}

pub(crate) fn pdf_stream(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut out = format!("<< {dictionary} /Length {} >>\nstream\r\n", data.len()).into_bytes();
    out.extend(data);
    out.extend(b"\nendstream");
    out
}

/// Compiled help with a file that is not packed.
pub(crate) fn help(name: &str, content: &[u8]) -> Vec<u8> {
    const CHUNK: usize = 4_096;
    let number = |value: usize| [(value >> 14) as u8 & 127 | 128, (value >> 7) as u8 & 127 | 128, value as u8 & 127];
    let mut list = Vec::new();
    list.push(name.len() as u8 + 1);
    list.extend(format!("/{name}").bytes());
    list.extend([0, 0]);
    list.extend(number(content.len()));
    let mut chunk = b"PMGL".to_vec();
    chunk.extend(((CHUNK - 20 - list.len()) as u32).to_le_bytes());
    chunk.extend([0; 12]);
    chunk.extend(list);
    chunk.resize(CHUNK, 0);
    let mut directory = b"ITSP\x01\x00\x00\x00\x54\x00\x00\x00\x0a\x00\x00\x00".to_vec();
    directory.extend((CHUNK as u32).to_le_bytes());
    directory.resize(0x54, 0);
    directory.extend(chunk);
    let mut file = b"ITSF\x03\x00\x00\x00".to_vec();
    file.resize(0x60, 0);
    file[0x48..0x50].copy_from_slice(&0x60_u64.to_le_bytes());
    file[0x58..0x60].copy_from_slice(&(0x60 + directory.len() as u64).to_le_bytes());
    file.extend(directory);
    file.extend(content);
    file
}

/// RAR 5 with a stored file.
pub(crate) fn rar5(name: &str, content: &[u8]) -> Vec<u8> {
    let number = |mut value: usize| {
        let mut out = Vec::new();
        while value > 127 {
            out.push(value as u8 & 127 | 128);
            value >>= 7;
        }
        out.push(value as u8);
        out
    };
    let block = |fields: Vec<u8>| {
        let sized = [number(fields.len()), fields].concat();
        [crc(&sized).to_le_bytes().to_vec(), sized].concat()
    };
    let mut out = b"Rar!\x1a\x07\x01\x00".to_vec();
    out.extend(block(vec![1, 0, 0]));
    let size = number(content.len());
    let file = [
        vec![2, 2],
        size.clone(),
        vec![4],
        size,
        vec![0],
        crc(content).to_le_bytes().to_vec(),
        vec![0, 0],
        number(name.len()),
        name.into(),
    ];
    out.extend(block(file.concat()));
    out.extend(content);
    out.extend(block(vec![5, 0, 0]));
    out
}
