// SPDX-License-Identifier: MPL-2.0

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;

use super::*;

/// A folder, and what is told of it: names with what is in the files, and names with a minus for those that are gone.
struct Watched {
    folder: tempfile::TempDir,
    watcher: Option<Watcher>,
}

impl Watched {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), watcher: None }
    }

    fn watch(&mut self, pattern: &str, settle_time: Duration) -> Vec<String> {
        let location = self.at(pattern);
        let selection = Selection::new(location.to_str().unwrap(), selection::Rules::default(), "*.tmp").unwrap();
        self.watcher = Some(Watcher::new(selection, settle_time).unwrap());
        self.told()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn next(&mut self) -> Next {
        self.watcher.as_mut().unwrap().next_change().unwrap()
    }

    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match self.next() {
                Next::File(file) => told.extend(self.read(file)),
                Next::Gone(name) => told.push(format!("-{name}")),
                Next::Complaint(text) => told.push(format!("!{text}")),
                Next::Wait(_) => return told,
            }
        }
    }

    fn read(&mut self, mut file: OpenFile) -> Option<String> {
        let mut content = String::new();
        file.file.read_to_string(&mut content).unwrap();
        self.watcher.as_mut().unwrap().confirm(&file).unwrap().then(|| format!("{}={content}", file.name))
    }

    /// What is told until nothing is waited for any more.
    fn told_in_time(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match self.next() {
                Next::File(file) => told.extend(self.read(file)),
                Next::Wait(None) => return told,
                Next::Wait(time) => self.watcher.as_mut().unwrap().wait(time).unwrap(),
                other => panic!("{other:?}"),
            }
        }
    }
}

const AT_ONCE: Duration = Duration::ZERO;
const NONE: [&str; 0] = [];

#[test]
fn what_is_there_comes_first_and_manifests_last() {
    let mut w = Watched::new();
    for name in ["live.mpd", "video/2.m4s", "video/1.m4s", "z.txt", ".hidden", "a.tmp", ".git/a", "video/b.tmp"] {
        w.write(name, "0");
    }
    assert_eq!(w.watch("", AT_ONCE), ["video/1.m4s=0", "video/2.m4s=0", "z.txt=0", "live.mpd=0"]);
    assert_eq!(w.told(), NONE);
}

#[test]
fn files_are_told_when_they_are_closed() {
    let mut w = Watched::new();
    assert_eq!(w.watch("", AT_ONCE), NONE);
    let mut file = File::create(w.at("seg 1.m4s")).unwrap();
    assert_eq!(w.told(), NONE);
    file.write_all(b"first half, ").unwrap();
    assert_eq!(w.told(), NONE);
    file.write_all(b"second half").unwrap();
    drop(file);
    assert_eq!(w.told(), ["seg%201.m4s=first half, second half"]);
    assert_eq!(w.told(), NONE);
}

#[test]
fn renamed_files_are_complete_and_their_old_names_gone() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    w.write("live.mpd.tmp", "1");
    assert_eq!(w.told(), NONE);
    fs::rename(w.at("live.mpd.tmp"), w.at("live.mpd")).unwrap();
    assert_eq!(w.told(), ["live.mpd=1"]);
    w.write("live.mpd.tmp", "2");
    fs::rename(w.at("live.mpd.tmp"), w.at("live.mpd")).unwrap();
    assert_eq!(w.told(), ["live.mpd=2"]);
    fs::rename(w.at("live.mpd"), w.at("old.mpd")).unwrap();
    assert_eq!(w.told(), ["-live.mpd", "old.mpd=2"]);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(w.at("old.mpd"), elsewhere.path().join("old.mpd")).unwrap();
    assert_eq!(w.told(), ["-old.mpd"]);
}

#[test]
fn changed_files_come_again() {
    let mut w = Watched::new();
    w.write("a", "1");
    assert_eq!(w.watch("", AT_ONCE), ["a=1"]);
    // As long, and within a tick of the clock.
    for content in ["2", "3"] {
        w.write("a", content);
        assert_eq!(w.told(), [format!("a={content}")]);
    }
    OpenOptions::new().append(true).open(w.at("a")).unwrap().write_all(b"4").unwrap();
    assert_eq!(w.told(), ["a=34"]);
}

#[test]
fn closing_without_a_change_is_none() {
    let mut w = Watched::new();
    w.write("a", "1");
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    File::options().write(true).open(w.at("a")).unwrap().set_modified(yesterday).unwrap();
    assert_eq!(w.watch("", AT_ONCE), ["a=1"]);
    drop(OpenOptions::new().append(true).open(w.at("a")).unwrap());
    assert_eq!(w.told(), NONE);
}

#[test]
fn only_the_last_version_is_told_at_its_place() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    for segment in 1..=3 {
        w.write(&format!("{segment}.m4s"), "s");
        w.write("live.mpd", &format!("up to {segment}"));
    }
    assert_eq!(w.told(), ["1.m4s=s", "2.m4s=s", "3.m4s=s", "live.mpd=up to 3"]);
}

#[test]
fn a_manifest_that_changes_while_it_is_read_waits_for_what_it_names() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    w.write("live.mpd", "up to 0");
    let Next::File(file) = w.next() else { panic!("the manifest is there") };
    w.write("1.m4s", "s");
    w.write("live.mpd", "up to 1");
    // It reads what was written last.
    assert_eq!(w.read(file), None);
    assert_eq!(w.told(), ["1.m4s=s", "live.mpd=up to 1"]);
}

#[test]
fn a_file_that_is_deleted_while_it_is_read() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    w.write("a", "1");
    let Next::File(file) = w.next() else { panic!("it is there") };
    fs::remove_file(w.at("a")).unwrap();
    assert_eq!(w.read(file), None);
    assert_eq!(w.told(), NONE, "it was never sent");
}

#[test]
fn a_file_that_is_written_while_it_is_read() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    w.write("a", "1");
    let Next::File(file) = w.next() else { panic!("it is there") };
    let mut writer = OpenOptions::new().append(true).open(w.at("a")).unwrap();
    writer.write_all(b"23").unwrap();
    assert_eq!(w.read(file), None);
    drop(writer);
    assert_eq!(w.told(), ["a=123"]);
}

#[test]
fn deleted_files_are_gone_if_they_were_told() {
    let mut w = Watched::new();
    for name in ["a", "b/1", "b/c/2"] {
        w.write(name, "");
    }
    w.watch("", AT_ONCE);
    w.write("short", "");
    fs::remove_file(w.at("short")).unwrap();
    fs::remove_file(w.at("a")).unwrap();
    assert_eq!(w.told(), ["-a"]);
    fs::remove_dir_all(w.at("b")).unwrap();
    let mut told = w.told();
    told.sort();
    assert_eq!(told, ["-b/1", "-b/c/2"]);
    w.write("a", "again");
    assert_eq!(w.told(), ["a=again"]);
    fs::remove_file(w.at("a")).unwrap();
    w.write("a", "and again");
    assert_eq!(w.told(), ["a=and again"], "it was only replaced");
}

#[test]
fn new_folders_and_what_was_in_them_before_they_were_watched() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    w.write("a/b/1", "1");
    w.write("a/2", "2");
    w.write(".cache/3", "3");
    let mut told = w.told();
    told.sort();
    assert_eq!(told, ["a/2=2", "a/b/1=1"]);
    w.write("a/b/4", "4");
    assert_eq!(w.told(), ["a/b/4=4"]);
}

#[test]
fn folders_that_move() {
    let mut w = Watched::new();
    let elsewhere = tempfile::tempdir().unwrap();
    w.write("a/b/1", "1");
    w.watch("", AT_ONCE);
    fs::rename(w.at("a"), w.at("c")).unwrap();
    w.write("c/b/2", "2");
    assert_eq!(w.told(), ["-a/b/1", "c/b/1=1", "c/b/2=2"]);
    w.write("c/b/3", "3");
    assert_eq!(w.told(), ["c/b/3=3"]);
    fs::rename(w.at("c"), elsewhere.path().join("c")).unwrap();
    fs::write(elsewhere.path().join("c/b/4"), "4").unwrap();
    assert_eq!(w.told(), ["-c/b/1", "-c/b/2", "-c/b/3"]);
    fs::rename(elsewhere.path().join("c"), w.at("d")).unwrap();
    assert_eq!(w.told(), ["d/b/1=1", "d/b/2=2", "d/b/3=3", "d/b/4=4"]);
}

#[test]
fn patterns_and_single_files() {
    let mut w = Watched::new();
    fs::create_dir(w.at("video")).unwrap();
    assert_eq!(w.watch("*/*.m4s", AT_ONCE), NONE, "there is nothing yet");
    for name in ["video/1.m4s", "video/1.mp4", "1.m4s", "video/deep/1.m4s", "audio/1.m4s"] {
        w.write(name, "");
    }
    assert_eq!(w.told(), ["video/1.m4s=", "audio/1.m4s="]);
    assert_eq!(w.watch("1.m4s", AT_ONCE), ["1.m4s="]);
    w.write("2.m4s", "");
    w.write("1.m4s", "new");
    assert_eq!(w.told(), ["1.m4s=new"]);
}

#[test]
fn links_stay_in_the_folder() {
    let mut w = Watched::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "").unwrap();
    w.write("v1.mpd", "1");
    symlink("v1.mpd", w.at("live.mpd")).unwrap();
    symlink(outside.path(), w.at("folder")).unwrap();
    symlink("..", w.at("up")).unwrap();
    let mut told = w.watch("", AT_ONCE);
    assert_eq!(told.iter().filter(|text| text.starts_with('!')).count(), 2, "{told:?}");
    told.retain(|text| !text.starts_with('!'));
    assert_eq!(told, ["live.mpd=1", "v1.mpd=1"]);
    symlink(outside.path().join("secret"), w.at("link")).unwrap();
    let told = w.told();
    assert!(told[0].contains("leads out of the folder") && told.len() == 1, "{told:?}");
    w.write("v2.mpd", "2");
    symlink("v2.mpd", w.at("live.mpd.tmp")).unwrap();
    fs::rename(w.at("live.mpd.tmp"), w.at("live.mpd")).unwrap();
    fs::hard_link(w.at("v2.mpd"), w.at("v3.mpd")).unwrap();
    assert_eq!(w.told(), ["v2.mpd=2", "live.mpd=2", "v3.mpd=2"]);
}

#[test]
fn links_to_folders_in_the_folder_are_followed() {
    let mut w = Watched::new();
    w.write("v1/1.m4s", "1");
    symlink("v1", w.at("live")).unwrap();
    assert_eq!(w.watch("", AT_ONCE), ["live/1.m4s=1", "v1/1.m4s=1"]);
    w.write("v1/2.m4s", "2");
    let mut told = w.told();
    told.sort();
    assert_eq!(told, ["live/2.m4s=2", "v1/2.m4s=2"]);
    w.write("v2/1.m4s", "new");
    assert_eq!(w.told(), ["v2/1.m4s=new"]);
    fs::remove_file(w.at("live")).unwrap();
    assert_eq!(w.told(), ["-live/1.m4s", "-live/2.m4s"]);
    symlink("v2", w.at("live")).unwrap();
    assert_eq!(w.told(), ["live/1.m4s=new"]);
    w.write("v1/2.m4s", "again");
    assert_eq!(w.told(), ["v1/2.m4s=again"], "the other link has gone");
    symlink("..", w.at("v1/loop")).unwrap();
    let told = w.told();
    assert!(told[0].contains("leads to a folder that it is in") && told.len() == 1, "{told:?}");
}

#[test]
fn hidden_files_are_not_watched() {
    let mut w = Watched::new();
    w.write(".git/config", "0");
    w.write("a", "0");
    symlink(".git/config", w.at("link")).unwrap();
    let told = w.watch("", AT_ONCE);
    assert!(told[0] == "a=0" && told[1].contains("leads to a hidden file") && told.len() == 2, "{told:?}");
    w.write(".b", "1");
    w.write("b", "1");
    assert_eq!(w.told(), ["b=1"]);
}

#[test]
fn pipes_are_not_waited_for() {
    let mut w = Watched::new();
    rustix::fs::mknodat(rustix::fs::CWD, w.at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let told = w.watch("", AT_ONCE);
    assert!(told[0].ends_with("it is no regular file") && told.len() == 1, "{told:?}");
}

#[test]
fn files_whose_end_was_not_seen_settle() {
    let mut w = Watched::new();
    let mut writer = File::create(w.at("1.m4s")).unwrap();
    w.write("live.mpd", "1");
    let settle_time = Duration::from_secs(3600);
    assert_eq!(w.watch("", settle_time), NONE);
    assert!(matches!(w.next(), Next::Wait(Some(time)) if time > Duration::from_secs(3000)));
    writer.write_all(b"all").unwrap();
    drop(writer);
    assert_eq!(w.told(), ["1.m4s=all"], "now it was seen");
    fs::remove_file(w.at("1.m4s")).unwrap();
    assert_eq!(w.told(), ["-1.m4s"]);
    fs::remove_file(w.at("live.mpd")).unwrap();
    assert_eq!(w.told(), NONE);
    assert!(matches!(w.next(), Next::Wait(None)));
}

#[test]
fn manifests_wait_for_what_settles() {
    let mut w = Watched::new();
    w.write("1.m4s", "s");
    assert_eq!(w.watch("", Duration::from_millis(300)), NONE);
    w.write("2.m4s", "s");
    w.write("live.mpd", "up to 2");
    assert_eq!(w.told_in_time(), ["2.m4s=s", "1.m4s=s", "live.mpd=up to 2"]);
    w.write("live.mpd", "at once");
    assert_eq!(w.told(), ["live.mpd=at once"]);
}

#[test]
fn manifests_wait_for_segments_that_are_closed_late() {
    let mut w = Watched::new();
    w.watch("", Duration::from_secs(3600));
    let segment = File::create(w.at("seg 1.ts")).unwrap();
    w.write("other.m3u8", "seg%200.ts");
    w.write("live.m3u8", "seg%201.ts");
    assert_eq!(w.told(), ["other.m3u8=seg%200.ts"]);
    w.write("live.m3u8", "seg%201.ts again");
    assert_eq!(w.told(), NONE);
    drop(segment);
    assert_eq!(w.told(), ["seg%201.ts=", "live.m3u8=seg%201.ts again"]);
    // No event was read meanwhile.
    let segment = File::create(w.at("3.ts")).unwrap();
    w.write("a.m3u8", "b.m3u8 3.ts");
    w.write("b.m3u8", "a.m3u8");
    drop(segment);
    assert_eq!(w.told(), ["b.m3u8=a.m3u8", "3.ts=", "a.m3u8=b.m3u8 3.ts"]);
    // Not for ever.
    w.watch("", Duration::from_millis(200));
    let _segment = File::create(w.at("2.ts")).unwrap();
    w.write("live.m3u8", "2.ts");
    let told = w.told_in_time();
    assert_eq!(told.last().unwrap(), "live.m3u8=2.ts");
}

#[test]
fn more_than_the_kernel_keeps() {
    let mut w = Watched::new();
    for name in ["kept", "changed", "deleted", "a/moved"] {
        w.write(name, "1");
    }
    w.watch("", AT_ONCE);
    // Each is two events at least.
    let queue: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    for _ in 0..queue {
        fs::write(w.at("x.tmp"), "").unwrap();
        fs::remove_file(w.at("x.tmp")).unwrap();
    }
    w.write("changed", "version 2");
    fs::remove_file(w.at("deleted")).unwrap();
    fs::rename(w.at("a"), w.at("b")).unwrap();
    w.write("new", "1");
    let mut told = w.told();
    told.sort();
    assert_eq!(told, ["-a/moved", "-deleted", "b/moved=1", "changed=version 2", "new=1"]);
    // It is watched as before.
    w.write("b/later", "1");
    assert_eq!(w.told(), ["b/later=1"]);
}

#[test]
fn ten_thousand_files_come_once_each() {
    let mut w = Watched::new();
    w.watch("", AT_ONCE);
    let files = 10_000;
    for file in 0..files {
        w.write(&format!("{}/{file:05}", file % 7), &file.to_string());
    }
    let mut told = w.told();
    assert_eq!(told.len(), files);
    told.sort();
    told.dedup();
    assert_eq!(told.len(), files);
}

#[test]
fn a_folder_that_is_made_anew() {
    let mut w = Watched::new();
    w.write("live/1", "1");
    assert_eq!(w.watch("live", AT_ONCE), ["1=1"]);
    fs::remove_dir_all(w.at("live")).unwrap();
    let told = w.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&"-1".to_owned()));
    w.write("live/a/2", "2");
    assert_eq!(w.told_in_time(), ["a/2=2"]);
    w.write("live/a/3", "3");
    assert_eq!(w.told(), ["a/3=3"]);
}
