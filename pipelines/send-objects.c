// SPDX-License-Identifier: MPL-2.0
/* Sends objects that an application makes: segments through appsrc, described by the object meta, and a manifest beside
 * them, which is repeated until it is taken out.
 *
 *   cc send-objects.c -o send-objects $(pkg-config --cflags --libs gstreamer-app-1.0)
 *   ./send-objects 239.1.1.1 3400
 *
 * FLUTE_IFACE names the interface that multicast leaves by: lo by default.
 */
#include <gst/app/app.h>
#include <gst/gst.h>

/* A segment: its bytes, and what receivers are told of it. The table in the documentation of the object meta has all
 * fields. */
static GstBuffer *
make_segment (guint number)
{
  gchar *bytes = g_strdup_printf ("segment %u", number);
  gchar *location = g_strdup_printf ("video/seg_%u.m4s", number);
  GstBuffer *buffer = gst_buffer_new_wrapped (bytes, strlen (bytes));
  GstCustomMeta *meta = gst_buffer_add_custom_meta (buffer, "FluteObjectMeta");

  gst_structure_set (gst_custom_meta_get_structure (meta),
      "content-location", G_TYPE_STRING, location,
      "content-type", G_TYPE_STRING, "video/iso.segment", NULL);
  g_free (location);
  return buffer;
}

/* Hands over a manifest, in place of the one before. It goes first, is sent for ever, and again two seconds after each
 * transfer. */
static gboolean
add_manifest (GstElement * sink, guint segments)
{
  gchar *bytes = g_strdup_printf ("<MPD>%u segments</MPD>", segments);
  GstBuffer *buffer = gst_buffer_new_wrapped (bytes, strlen (bytes));
  GstStructure *meta = gst_structure_new ("FluteObjectMeta",
      "content-location", G_TYPE_STRING, "live.mpd",
      "content-type", G_TYPE_STRING, "application/dash+xml",
      "priority", G_TYPE_UINT, 1,
      "repeat-count", G_TYPE_UINT, 0,
      "repeat-delay", G_TYPE_UINT64, 2 * GST_SECOND, NULL);
  gboolean added = FALSE;

  g_signal_emit_by_name (sink, "add-object", buffer, meta, &added);
  gst_structure_free (meta);
  gst_buffer_unref (buffer);
  return added;
}

/* In the thread of the session, which waits for it. The messages flute-object-sent and flute-object-withdrawn on the bus
 * say the same. */
static void
on_object (GstElement * sink, GstStructure * details, const gchar * what)
{
  g_print ("%s %s\n", gst_structure_get_string (details, "content-location"), what);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  if (argc != 3) {
    g_printerr ("usage: %s ADDRESS PORT\n", argv[0]);
    return 2;
  }
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch ("appsrc name=source ! flutesink name=sink", &error);
  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  GstElement *source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  const gchar *interface = g_getenv ("FLUTE_IFACE");
  g_object_set (sink, "address", argv[1], "port", atoi (argv[2]), "bitrate", G_GUINT64_CONSTANT (10000000),
      "multicast-iface", interface != NULL ? interface : "lo", NULL);
  g_signal_connect (sink, "object-sent", G_CALLBACK (on_object), "was sent");
  g_signal_connect (sink, "object-withdrawn", G_CALLBACK (on_object), "is sent no more");

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gboolean ok = TRUE;
  for (guint number = 1; number <= 3 && ok; number++)
    ok = gst_app_src_push_buffer (GST_APP_SRC (source), make_segment (number)) == GST_FLOW_OK
        && add_manifest (sink, number);
  /* A transfer beside those of the carousel, for example because a receiver has just joined. */
  g_signal_emit_by_name (sink, "send-now", "live.mpd", &ok);
  /* TRUE would end a transfer in the middle. */
  g_signal_emit_by_name (sink, "remove-object", "live.mpd", FALSE, &ok);
  gst_app_src_end_of_stream (GST_APP_SRC (source));

  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    ok = FALSE;
  }
  gst_message_unref (message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (source);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  return ok ? 0 : 1;
}
