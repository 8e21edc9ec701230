//! What stands in each kind of file; docs/PARQUET.md describes the columns.

/// The key in a file's metadata, and the version of the schemas there. A version stays readable: columns may be added at the
/// end, whatever else changes takes another version.
pub(super) const VERSION: (&str, &str) = ("dgawatch.schema", "1");

pub(super) const EVIDENCE: &str = "
message evidence {
  required binary sensor (STRING);
  required binary family (STRING);
  required int32 list_day (DATE);
  required binary source (STRING);
  optional binary network (STRING);
  required int64 matches;
  required int64 responses;
  required group names (LIST) { repeated group list { required int32 element; } }
  required group collisions (LIST) { repeated group list { required int32 element; } }
  required int64 first_seen (TIMESTAMP(MICROS,true));
  required int64 last_seen (TIMESTAMP(MICROS,true));
  required int32 port;
  required binary transport (STRING);
  required int32 recursive;
  required int32 iterative;
  required int32 most;
  required boolean answers_others;
  optional binary server (STRING);
  required group lookups (LIST) { repeated group list { required int64 element; } }
  required group starts (LIST) { repeated group list { required int64 element; } }
  required group lifetimes (LIST) { repeated group list { required int64 element; } }
  optional int64 lookups_lost;
  optional int64 latest_lookup;
  required binary role (STRING);
  required binary verdict (STRING);
  required int32 names_needed;
  required int32 names_needed_of_crowd;
  required int32 set_aside;
  required boolean reader;
  optional double hosts_low;
  optional double hosts_best;
  optional double hosts_high;
  optional binary hosts_method (STRING);
  optional binary hosts_refused (STRING);
  optional double capture_loss;
}";

pub(super) const LISTS: &str = "
message lists {
  required binary sensor (STRING);
  required binary family (STRING);
  required int32 list_day (DATE);
  required int32 names;
  required int32 names_needed;
  required int32 names_needed_of_crowd;
  required double background;
  required boolean measured;
  optional binary habit (STRING);
  optional int32 habit_names;
  optional double habit_pace;
  optional binary masking (STRING);
}";

pub(super) const SKETCHES: &str = "
message sketches {
  required binary sensor (STRING);
  required binary family (STRING);
  required int64 hour (TIMESTAMP(MICROS,true));
  required binary scope (STRING);
  required binary sketch;
  required double estimate;
}";

pub(super) const SERVERS: &str = "
message servers {
  required binary sensor (STRING);
  required binary server (STRING);
}";
